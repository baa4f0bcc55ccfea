/** Changes of health, as supervisors write them on the cgroups of their containers. */
import { parseProbe } from '../kernel/health-text.ts';
import { parseRunState } from '../kernel/run-state.ts';
import type { KernelReader } from '../kernel/reader.ts';
import type { CgroupEvent } from '../resources/cgroup/events.ts';
import { PROBE_XATTR, RUN_XATTR } from '../resources/label.ts';

export class HealthEvents {
  readonly #reader: KernelReader;
  /** What was last told, by directory. */
  readonly #known = new Map<string, string | undefined>();

  constructor(reader: KernelReader) {
    this.#reader = reader;
  }

  forget(directory: string): void {
    this.#known.delete(directory);
  }

  /** The changes since the last look at these directories; of one that was never looked at, what it has. */
  changes(directories: readonly string[]): Map<string, CgroupEvent> {
    const events = new Map<string, CgroupEvent>();
    const runs = this.#reader.getXattrs(directories, RUN_XATTR);
    directories.forEach((directory, i) => {
      const text = runs[i];
      const run = typeof text === 'string' ? parseRunState(text) : undefined;
      // Between two runs there is none; what it then is is news again.
      const health = run?.pid === 0 ? undefined : run?.health;
      const before = this.#known.get(directory);
      this.#known.set(directory, health);
      if (health !== undefined && health !== before) {
        events.set(directory, { event: health, count: 1, ...(health === 'starting' ? {} : this.#check(directory)) });
      }
    });
    return events;
  }

  #check(directory: string): Pick<CgroupEvent, 'check'> {
    const text = this.#reader.getXattrs([directory], PROBE_XATTR)[0];
    const probe = typeof text === 'string' ? parseProbe(text) : undefined;
    return probe === undefined ? {} : { check: probe };
  }
}
