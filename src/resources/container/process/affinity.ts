/** Processors a process may run on, seen through the cpuset that narrows them. */
import type { KernelReader } from '../../../kernel/reader.ts';
import { parseCpuList } from '../../units.ts';

/** '0-2,7' as numbers. */
export function cpuNumbers(list: string): number[] {
  return list
    .trim()
    .split(',')
    .filter((part) => part !== '')
    .flatMap((part) => {
      const [from = 0, to = from] = part.split('-').map(Number);
      return Array.from({ length: to - from + 1 }, (_, i) => from + i);
    });
}

/** Numbers as the canonical list. */
export function cpuText(cpus: readonly number[]): string {
  return cpus.length === 0 ? '' : parseCpuList([...cpus]);
}

export interface EffectiveCpus {
  /** What the kernel makes of a declared list: what its cpuset allows of it, or all that allows when that is nothing. */
  within(declared: string): string;
}

const ONLINE = '/sys/devices/system/cpu/online';

/**
 * The processors that the cpusets of leaves allow, read in one batch.
 * @param leaves paths below the hierarchy's mount
 */
export function effectiveCpus(reader: KernelReader, leaves: readonly string[]): EffectiveCpus[] {
  const hierarchy = reader.layout.byController.get('cpuset');
  const file = hierarchy?.version === 2 ? 'cpuset.cpus.effective' : 'cpuset.effective_cpus';
  // On v2 only a cgroup with the controller has the file; its nearest ancestor with one rules it.
  const chains = leaves.map((leaf) => {
    const parts = leaf.split('/').filter((p) => p !== '');
    return hierarchy === undefined
      ? []
      : parts.map((_, i) => `${hierarchy.mount}/${parts.slice(0, parts.length - i).join('/')}/${file}`);
  });
  // Containers mostly have the same cgroups above them.
  const files = [...new Set([ONLINE, ...chains.flat()])];
  const contents = reader.readFiles(files);
  const texts = new Map(files.map((f, i) => [f, contents[i]]));
  const online = texts.get(ONLINE);
  return chains.map((chain) => {
    const found = chain.map((f) => texts.get(f)).find((t): t is string => typeof t === 'string' && t.trim() !== '');
    const allowed = cpuNumbers(found ?? (typeof online === 'string' ? online : ''));
    return {
      within(declared) {
        const wanted = declared === 'all' ? allowed : cpuNumbers(declared).filter((cpu) => allowed.includes(cpu));
        return cpuText(wanted.length === 0 ? allowed : wanted);
      },
    };
  });
}
