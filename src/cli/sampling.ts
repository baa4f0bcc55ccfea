/** Samples of the accounting of all stacks' cgroups, as a tree, for stats and top. */
import type { KernelReader } from '../kernel/reader.ts';
import type { StatsRow } from '../report/stats-text.ts';
import { ratesBetween, readCgroupStats, type CgroupStats } from '../resources/cgroup/stats.ts';
import { readScope } from '../resources/scope.ts';
import { stackNames } from './containers.ts';

interface Place {
  readonly stack: string;
  readonly address: string | null;
  /** Absolute path within the hierarchies. */
  readonly cgroup: string;
  readonly name: string;
  readonly depth: number;
}

interface Sample {
  readonly at: number;
  readonly stats: ReadonlyMap<string, CgroupStats>;
}

/** The cgroups of a stack or of all, parents before their children; supervisors' left out. */
function places(reader: KernelReader, stack: string | undefined): Place[] {
  const root = reader.settings.cgroupRoot;
  return (stack === undefined ? stackNames(reader).sort() : [stack]).flatMap((name) => {
    const entries = [...readScope(reader, name).entries.values()];
    const shown = entries.filter((e) => !e.path.split('/').some((part) => part.startsWith('_')));
    const key = (path: string): string => path.replaceAll('/', '\0');
    return shown
      .sort((a, b) => (key(a.path) < key(b.path) ? -1 : 1))
      .map((e): Place => {
        const absolute = e.path.startsWith('/');
        const parts = e.path.split('/').filter((p) => p !== '');
        return {
          stack: name,
          address: e.label?.address ?? null,
          cgroup: absolute ? e.path : `${root}/${name}${e.path === '' ? '' : `/${e.path}`}`,
          name: e.path === '' ? name : absolute ? e.path : (parts.at(-1) ?? ''),
          depth: absolute ? 1 : parts.length,
        };
      });
  });
}

/** Takes samples one after the other; each has the rates since the one before. */
export class Sampler {
  readonly #reader: KernelReader;
  readonly #stack: string | undefined;
  #last: Sample | undefined;

  constructor(reader: KernelReader, stack: string | undefined) {
    this.#reader = reader;
    this.#stack = stack;
  }

  next(): StatsRow[] {
    const found = places(this.#reader, this.#stack);
    const at = performance.now();
    const all = readCgroupStats(
      this.#reader,
      found.map((p) => p.cgroup),
    );
    const before = this.#last;
    const none = { cpu: null, read: null, written: null, throttled: null };
    const rows = found.flatMap((place, i): StatsRow[] => {
      const stats = all[i];
      return stats === undefined
        ? []
        : [
            {
              ...place,
              stats,
              rates:
                before === undefined
                  ? none
                  : ratesBetween(before.stats.get(place.cgroup), stats, (at - before.at) / 1000),
            },
          ];
    });
    this.#last = { at, stats: new Map(rows.map((r) => [r.cgroup, r.stats])) };
    return rows;
  }
}
