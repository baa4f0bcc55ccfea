/** A source that is held still, for a repair by hand. In a file, as an approval is: the word comes from another process. */
import { join } from 'node:path';
import type { Kernel } from '../../kernel/kernel.ts';
import { readText } from '../../kernel/private-files.ts';

export class Suspension {
  readonly #kernel: Kernel;
  readonly #file: string;

  constructor(kernel: Kernel, directory: string) {
    this.#kernel = kernel;
    this.#file = join(directory, 'suspended');
  }

  /** Since when nothing is applied, in ISO 8601; undefined when it is not held still. */
  since(): string | undefined {
    return readText(this.#file)?.trim();
  }

  /** Said again, the first moment stays. */
  begin(): string {
    const since = this.since() ?? new Date().toISOString();
    this.#kernel.placeFile(this.#file, `${since}\n`);
    return since;
  }

  end(): void {
    this.#kernel.remove(this.#file);
  }
}
