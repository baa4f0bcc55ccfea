/** Which stacks a source has made: the mark is on the stack's cgroup and goes with it. Only those are ever pruned. */
import { TsboxError } from '../../errors.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { lockDirectory } from '../../resources/lock-holder.ts';
import { stackNames } from '../containers.ts';
import type { TreeStack } from './tree.ts';

const SOURCE_XATTR = 'trusted.tsbox.source';

export class Ownership {
  readonly #kernel: Kernel;
  readonly #id: string;

  constructor(kernel: Kernel, id: string) {
    this.#kernel = kernel;
    this.#id = id;
  }

  /** Stacks that this source made and does not declare any more. */
  vanished(stacks: readonly TreeStack[]): string[] {
    const names = new Set(stacks.map((s) => s.stack.name));
    return stackNames(this.#kernel).filter((n) => !names.has(n) && this.#madeBy(n) === this.#id);
  }

  /** @throws TsboxError TSB3007 for a stack that another source has made */
  refuseForeign(stacks: readonly TreeStack[]): void {
    for (const { stack, file } of stacks) {
      const by = this.#madeBy(stack.name);
      if (by !== undefined && by !== this.#id) {
        throw new TsboxError('TSB3007', `${file}: the stack ${stack.name} belongs to another source (${by})`);
      }
    }
  }

  mark(name: string): void {
    const directory = lockDirectory(this.#kernel, name);
    if (typeof this.#kernel.stats([directory])[0] === 'object') {
      this.#kernel.setXattr(directory, SOURCE_XATTR, this.#id);
    }
  }

  #madeBy(name: string): string | undefined {
    const mark = this.#kernel.getXattrs([lockDirectory(this.#kernel, name)], SOURCE_XATTR)[0];
    return typeof mark === 'string' ? mark : undefined;
  }
}
