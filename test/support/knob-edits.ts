/** For every cgroup knob: how a stack declares it, and how somebody changes it by hand behind tsbox's back. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';

export interface KnobEdit {
  /** The v1 controller's name, the v2 one's where they are the same; 'core' for v2's own files. */
  readonly controller: string;
  /** Fields of the cgroup in the stack, as YAML flow text. */
  readonly yaml: string;
  /** File and text written by hand. */
  readonly v2?: readonly [file: string, text: string];
  readonly v1?: readonly [file: string, text: string];
  /** Other attributes of the same cgroup that the kernel changes along with it. */
  readonly also?: readonly string[];
  /** Why no other value can be had on these machines. */
  readonly stuck?: string;
}

/** The first disk of this machine, 'MAJ:MIN', '' when it has none. */
export function someDisk(): string {
  const name = existsSync('/sys/block')
    ? readdirSync('/sys/block').find((n) => /^(vd|sd|nvme|loop)/.test(n) && !n.startsWith('zram'))
    : undefined;
  return name === undefined ? '' : readFileSync(`/sys/block/${name}/dev`, 'utf8').trim();
}

const NO_HARDWARE = 'needs hardware that none of the test machines has';

export function knobEdits(disk: string): Readonly<Record<string, KnobEdit>> {
  return {
    'cgroup.max.depth': { controller: 'core', yaml: 'max_depth: 7', v2: ['cgroup.max.depth', '8'] },
    'cgroup.max.descendants': {
      controller: 'core',
      yaml: 'max_descendants: 70',
      v2: ['cgroup.max.descendants', 'max'],
    },
    'cgroup.pressure': { controller: 'core', yaml: 'pressure: false', v2: ['cgroup.pressure', '1'] },
    'cgroup.freeze': {
      controller: 'freezer',
      yaml: 'freeze: false',
      v2: ['cgroup.freeze', '1'],
      v1: ['freezer.state', 'FROZEN'],
    },
    'cpuset.cpus': {
      controller: 'cpuset',
      yaml: 'cpuset: { cpus: "0-1", mems: "0" }',
      v2: ['cpuset.cpus', '0'],
      v1: ['cpuset.cpus', '0'],
    },
    'cpuset.mems': {
      controller: 'cpuset',
      yaml: 'cpuset: { cpus: "0-1", mems: "0" }',
      v2: ['cpuset.mems', '\n'],
      stuck: 'v1 takes no empty list, and there is one memory node',
    },
    'cpuset.cpus.exclusive': {
      controller: 'cpuset',
      yaml: 'cpuset: { exclusive: "1" }',
      v2: ['cpuset.cpus.exclusive', '\n'],
    },
    'cpuset.cpus.partition': {
      controller: 'cpuset',
      yaml: 'cpuset: { partition: member }',
      v2: ['cpuset.cpus.partition', 'root'],
    },
    ...Object.fromEntries(
      ['mem_hardwall', 'memory_migrate', 'memory_spread_page', 'memory_spread_slab'].map((name) => [
        `cpuset.${name}`,
        { controller: 'cpuset', yaml: `cpuset: { ${name}: true }`, v1: [`cpuset.${name}`, '0'] } as const,
      ]),
    ),
    'cpuset.cpu_exclusive': {
      controller: 'cpuset',
      yaml: 'cpuset: { cpu_exclusive: false }',
      stuck: 'the ancestors would have to be exclusive too, and those of the machine are not ours',
    },
    'cpuset.mem_exclusive': {
      controller: 'cpuset',
      yaml: 'cpuset: { mem_exclusive: false }',
      stuck: 'the ancestors would have to be exclusive too, and those of the machine are not ours',
    },
    'cpuset.sched_load_balance': {
      controller: 'cpuset',
      yaml: 'cpuset: { sched_load_balance: false }',
      v1: ['cpuset.sched_load_balance', '1'],
    },
    'cpuset.sched_relax_domain_level': {
      controller: 'cpuset',
      yaml: 'cpuset: { sched_relax_domain_level: 1 }',
      v1: ['cpuset.sched_relax_domain_level', '0'],
    },
    'cpu.idle': { controller: 'cpu', yaml: 'cpu: { idle: true }', v2: ['cpu.idle', '0'], v1: ['cpu.idle', '0'] },
    'cpu.weight': {
      controller: 'cpu',
      yaml: 'cpu: { weight: 200 }',
      v2: ['cpu.weight', '77'],
      v1: ['cpu.shares', '777'],
    },
    'cpu.weight.nice': {
      controller: 'cpu',
      yaml: 'cpu: { nice: -5 }',
      v2: ['cpu.weight.nice', '3'],
      v1: ['cpu.shares', '526'],
    },
    'cpu.max': {
      controller: 'cpu',
      yaml: 'cpu: { max: 50% }',
      v2: ['cpu.max', '45000 100000'],
      v1: ['cpu.cfs_quota_us', '45000'],
    },
    'cpu.max.burst': {
      controller: 'cpu',
      yaml: 'cpu: { max: 50%, burst: 20ms }',
      v2: ['cpu.max.burst', '1000'],
      v1: ['cpu.cfs_burst_us', '1000'],
    },
    'cpu.uclamp.min': {
      controller: 'cpu',
      yaml: 'cpu: { uclamp: { min: 10% } }',
      v2: ['cpu.uclamp.min', '5'],
      v1: ['cpu.uclamp.min', '5'],
    },
    'cpu.uclamp.max': {
      controller: 'cpu',
      yaml: 'cpu: { uclamp: { max: 90% } }',
      v2: ['cpu.uclamp.max', '80'],
      v1: ['cpu.uclamp.max', '80'],
    },
    'memory.min': { controller: 'memory', yaml: 'memory: { min: 4MiB }', v2: ['memory.min', '1048576'] },
    'memory.low': {
      controller: 'memory',
      yaml: 'memory: { low: 8MiB }',
      v2: ['memory.low', '1048576'],
      v1: ['memory.soft_limit_in_bytes', '1048576'],
    },
    'memory.high': { controller: 'memory', yaml: 'memory: { high: 60000001 }', v2: ['memory.high', '20000000'] },
    'memory.max': {
      controller: 'memory',
      // Not a multiple of the page size: what the kernel rounds is no drift.
      yaml: 'memory: { max: 64000001 }',
      v2: ['memory.max', '50000000'],
      v1: ['memory.limit_in_bytes', '50000000'],
    },
    'memory.swap.high': {
      controller: 'memory',
      yaml: 'memory: { swap: { high: 16MiB } }',
      v2: ['memory.swap.high', 'max'],
    },
    'memory.swap.max': {
      controller: 'memory',
      yaml: 'memory: { max: 64MiB, swap: { max: 32MiB } }',
      v2: ['memory.swap.max', '1048576'],
      v1: ['memory.memsw.limit_in_bytes', '70000000'],
    },
    'memory.zswap.max': {
      controller: 'memory',
      yaml: 'memory: { zswap: { max: 16MiB } }',
      v2: ['memory.zswap.max', 'max'],
    },
    'memory.zswap.writeback': {
      controller: 'memory',
      yaml: 'memory: { zswap: { writeback: false } }',
      v2: ['memory.zswap.writeback', '1'],
    },
    'memory.oom.group': {
      controller: 'memory',
      yaml: 'memory: { oom: { group: true } }',
      v2: ['memory.oom.group', '0'],
    },
    'memory.oom_control': {
      controller: 'memory',
      yaml: 'memory: { oom: { kill_disable: true } }',
      v1: ['memory.oom_control', '0'],
    },
    'memory.swappiness': {
      controller: 'memory',
      yaml: 'memory: { swappiness: 10 }',
      v1: ['memory.swappiness', '20'],
    },
    'io.weight': {
      controller: 'blkio',
      yaml: 'io: { weight: 300 }',
      v2: ['io.weight', 'default 77'],
      v1: ['blkio.bfq.weight', '77'],
    },
    'io.max': {
      controller: 'blkio',
      yaml: `io: { "${disk}": { rbps: 10MiB, wiops: 500 } }`,
      v2: ['io.max', `${disk} rbps=5242880`],
      v1: ['blkio.throttle.read_bps_device', `${disk} 5242880`],
    },
    'io.latency': {
      controller: 'blkio',
      yaml: `io: { "${disk}": { latency: 10ms } }`,
      v2: ['io.latency', `${disk} target=5000`],
    },
    'io.prio.class': {
      controller: 'blkio',
      yaml: 'io: { priority_class: idle }',
      v2: ['io.prio.class', 'no-change'],
      v1: ['blkio.prio.class', 'no-change'],
    },
    'pids.max': { controller: 'pids', yaml: 'pids: { max: 100 }', v2: ['pids.max', '33'], v1: ['pids.max', '33'] },
    'hugetlb.max': {
      controller: 'hugetlb',
      // Rounded to the page by the kernel.
      yaml: 'hugetlb: { 2MB: 65MiB }',
      v2: ['hugetlb.2MB.max', '4194304'],
      v1: ['hugetlb.2MB.limit_in_bytes', '4194304'],
    },
    'hugetlb.rsvd.max': {
      controller: 'hugetlb',
      yaml: 'hugetlb: { 2MB: { rsvd: 64MiB } }',
      v2: ['hugetlb.2MB.rsvd.max', 'max'],
      v1: ['hugetlb.2MB.rsvd.limit_in_bytes', '-1'],
    },
    'rdma.max': { controller: 'rdma', yaml: 'rdma: { mlx4_0: { hca_handle: 3 } }', stuck: NO_HARDWARE },
    'misc.max': { controller: 'misc', yaml: 'misc: { sev: 3 }', stuck: NO_HARDWARE },
    'dmem.min': { controller: 'dmem', yaml: 'dmem: { drm/x/vram0: { min: 1MiB } }', stuck: NO_HARDWARE },
    'dmem.low': { controller: 'dmem', yaml: 'dmem: { drm/x/vram0: { low: 1MiB } }', stuck: NO_HARDWARE },
    'dmem.max': { controller: 'dmem', yaml: 'dmem: { drm/x/vram0: { max: 1MiB } }', stuck: NO_HARDWARE },
  };
}
