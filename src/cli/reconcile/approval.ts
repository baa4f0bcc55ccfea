/** The word for a plan that waits. In a file of its own: it comes from another process than the one that waits for it. */
import { join } from 'node:path';
import { TsboxError } from '../../errors.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { readText } from '../../kernel/private-files.ts';
import type { Status } from './status.ts';

type Pending = NonNullable<Status['pending']>;

const textOf = (plan: Pick<Pending, 'commit' | 'digest'>): string => `${plan.commit} ${plan.digest}\n`;

export class Approval {
  readonly #kernel: Kernel;
  readonly #file: string;

  constructor(kernel: Kernel, directory: string) {
    this.#kernel = kernel;
    this.#file = join(directory, 'approved');
  }

  /** @throws TsboxError TSB2001 when no plan of that commit waits */
  give(pending: Pending | null, commit: string): Pending {
    if (pending === null || commit.length < 7 || !pending.commit.startsWith(commit)) {
      throw new TsboxError('TSB2001', `no plan of ${commit} waits for approval`, {
        hint: pending === null ? 'nothing waits' : `what waits is of ${pending.commit}`,
      });
    }
    this.#kernel.placeFile(this.#file, textOf(pending));
    return pending;
  }

  given(plan: Pick<Pending, 'commit' | 'digest'>): boolean {
    return readText(this.#file) === textOf(plan);
  }

  forget(): void {
    this.#kernel.remove(this.#file);
  }
}
