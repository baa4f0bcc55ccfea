/** `linux.resources` of a bundle: the limits of its cgroup. */
import { KNOB_BY_NAME } from '../../resources/cgroup/registry.ts';
import type { Fields } from './fields.ts';

type Out = Record<string, unknown>;

/** Puts a value at a path of nested maps. */
function put(out: Out, path: readonly string[], value: unknown): void {
  const [first = '', ...rest] = path;
  if (rest.length === 0) {
    out[first] = value;
    return;
  }
  const below = (out[first] ??= {}) as Out;
  put(below, rest, value);
}

/** Everything but `devices`, which its own file takes. */
export function convertResources(resources: Fields, out: Out): void {
  convertMemory(resources, out);
  convertCpu(resources, out);
  const pids = resources.object('pids');
  if (pids !== undefined) {
    const limit = pids.number('limit') ?? 0;
    put(out, ['pids', 'max'], limit > 0 ? limit : 'max');
    pids.finish();
  }
  convertIo(resources, out);
  for (const page of resources.objects('hugepageLimits')) {
    const size = (page.string('pageSize') ?? '').replace(/^(\d+)([KMG])B$/, '$1$2iB');
    put(out, ['hugetlb', size, 'max'], Number(page.integer('limit') ?? 0n));
    page.finish();
  }
  convertNetwork(resources, out);
  const rdma = resources.object('rdma');
  for (const device of rdma?.keys() ?? []) {
    const limit = rdma?.object(device);
    const [handles, objects] = [limit?.number('hcaHandles'), limit?.number('hcaObjects')];
    put(out, ['rdma', device], {
      ...(handles === undefined ? {} : { hca_handle: handles }),
      ...(objects === undefined ? {} : { hca_object: objects }),
    });
    limit?.finish();
  }
  convertUnified(resources, out);
  resources.finish();
}

function convertMemory(resources: Fields, out: Out): void {
  const memory = resources.object('memory');
  if (memory === undefined) {
    return;
  }
  const bytes = (key: string): bigint | undefined => memory.integer(key);
  const text = (n: bigint): number | 'max' => (n < 0n ? 'max' : Number(n));
  const limit = bytes('limit');
  if (limit !== undefined) {
    put(out, ['memory', 'max'], text(limit));
  }
  const reservation = bytes('reservation');
  if (reservation !== undefined && reservation >= 0n) {
    put(out, ['memory', 'low'], Number(reservation));
  }
  // The specification counts memory and swap together, as v1 does; the language counts swap alone, as v2 does.
  const swap = bytes('swap');
  if (swap !== undefined && (swap < 0n || (limit !== undefined && limit >= 0n))) {
    if (swap >= 0n && swap < (limit ?? 0n)) {
      memory.note('swap', 'is less than limit, which it includes: left out');
    } else {
      put(out, ['memory', 'swap', 'max'], swap < 0n ? 'max' : Number(swap - (limit ?? 0n)));
    }
  } else if (swap !== undefined) {
    memory.note('swap', 'includes memory, and there is no limit to take off: left out');
  }
  const swappiness = memory.number('swappiness');
  if (swappiness !== undefined) {
    put(out, ['memory', 'swappiness'], swappiness);
    memory.note('swappiness', 'is of v1 hierarchies; on v2 the apply says that this kernel has none');
  }
  if (memory.boolean('disableOOMKiller') === true) {
    put(out, ['memory', 'oom', 'kill_disable'], true);
    memory.note('disableOOMKiller', 'is of v1 hierarchies; on v2 the apply says that this kernel has none');
  }
  for (const key of ['kernel', 'kernelTCP', 'useHierarchy', 'checkBeforeUpdate']) {
    if (memory.take(key) !== undefined) {
      memory.note(key, WHY_NOT[key] ?? '');
    }
  }
  memory.finish();
}

const WHY_NOT: Readonly<Record<string, string>> = {
  kernel: 'is ignored by kernels since 5.16, which count that memory with the rest',
  kernelTCP: 'is a limit of v1 that v2 counts with the rest',
  useHierarchy: 'is what every kernel does since 5.11',
  checkBeforeUpdate: 'is not needed: a plan says what a lower limit would do before it is written',
};

function convertCpu(resources: Fields, out: Out): void {
  const cpu = resources.object('cpu');
  if (cpu === undefined) {
    return;
  }
  const shares = cpu.number('shares') ?? 0;
  if (shares > 0) {
    // In the kernel's own proportion, 1024 to 100: a share keeps its meaning against others.
    put(out, ['cpu', 'weight'], Math.min(10_000, Math.max(1, Math.round((shares * 100) / 1024))));
  }
  const quota = cpu.number('quota');
  const period = cpu.number('period') ?? 100_000;
  if (quota !== undefined && quota > 0) {
    put(out, ['cpu', 'max'], `${quota}us/${period}us`);
  } else if (cpu.has('period') && period !== 100_000) {
    cpu.note('period', 'means nothing without a quota');
  }
  const burst = cpu.number('burst') ?? 0;
  if (burst > 0) {
    put(out, ['cpu', 'burst'], `${burst}us`);
  }
  if ((cpu.number('idle') ?? 0) === 1) {
    put(out, ['cpu', 'idle'], true);
  }
  for (const key of ['cpus', 'mems'] as const) {
    const list = cpu.string(key);
    if (list !== undefined && list !== '') {
      put(out, ['cpuset', key], list);
    }
  }
  for (const key of ['realtimeRuntime', 'realtimePeriod']) {
    if (cpu.take(key) !== undefined) {
      cpu.note(key, 'is of v1 hierarchies of kernels with CONFIG_RT_GROUP_SCHED');
    }
  }
  cpu.finish();
}

const THROTTLES = {
  throttleReadBpsDevice: 'rbps',
  throttleWriteBpsDevice: 'wbps',
  throttleReadIOPSDevice: 'riops',
  throttleWriteIOPSDevice: 'wiops',
} as const;

/** From 10..1000 of v1's blkio.weight to 1..10000, as the runtimes do it. */
function ioWeight(weight: number): number {
  return Math.round(1 + ((weight - 10) * 9999) / 990);
}

function convertIo(resources: Fields, out: Out): void {
  const io = resources.object('blockIO');
  if (io === undefined) {
    return;
  }
  const weight = io.number('weight') ?? 0;
  if (weight > 0) {
    put(out, ['io', 'weight'], ioWeight(weight));
  }
  for (const device of io.objects('weightDevice')) {
    const own = device.number('weight') ?? 0;
    if (own > 0) {
      put(out, ['io', numbersOf(device), 'weight'], ioWeight(own));
    }
    leafWeight(device);
    device.finish();
  }
  leafWeight(io);
  for (const [field, key] of Object.entries(THROTTLES)) {
    for (const device of io.objects(field)) {
      const rate = device.integer('rate') ?? 0n;
      put(out, ['io', numbersOf(device), key], rate === 0n ? 'max' : Number(rate));
      device.finish();
    }
  }
  io.finish();
}

function leafWeight(owner: Fields): void {
  if (owner.take('leafWeight') !== undefined) {
    owner.note('leafWeight', 'was of the CFQ scheduler, which left the kernel with 5.0');
  }
}

function numbersOf(device: Fields): string {
  return `${device.number('major') ?? 0}:${device.number('minor') ?? 0}`;
}

function convertNetwork(resources: Fields, out: Out): void {
  const network = resources.object('network');
  if (network === undefined) {
    return;
  }
  const id = network.number('classID') ?? 0;
  if (id > 0) {
    put(out, ['network_tag', 'mark'], id);
  }
  const priorities = network.objects('priorities').map((p) => {
    const priority = p.number('priority') ?? 0;
    const name = p.string('name') ?? '';
    p.finish();
    return { name, priority };
  });
  const values = new Set(priorities.map((p) => p.priority));
  const [only] = values;
  if (values.size === 1 && only !== undefined && only > 0) {
    put(out, ['network_tag', 'priority'], only);
    network.note('priorities', `holds on every interface, not only on ${priorities.map((p) => p.name).join(', ')}`);
  } else if (values.size > 1) {
    network.note('priorities', 'differ by interface; the language has one priority for all: left out');
  }
  network.finish();
}

const FLAGS = new Set(['cpu.idle', 'memory.oom.group', 'memory.zswap.writeback', 'cgroup.freeze']);

/** File names of v2 that are knobs of the language; keyed ones line by line. */
function convertUnified(resources: Fields, out: Out): void {
  const unified = resources.texts('unified') ?? {};
  for (const [file, content] of Object.entries(unified)) {
    const value = content.trim();
    const keyed = keyedValue(file, value);
    if (keyed !== undefined) {
      for (const [path, item] of keyed) {
        put(out, path, item);
      }
      continue;
    }
    const knob = KNOB_BY_NAME.get(file);
    if (knob?.schema === undefined) {
      resources.note('unified', `${file} is no file that the language has a word for`);
      continue;
    }
    const number = /^\d+$/.test(value);
    put(
      out,
      knob.yaml,
      file === 'cpu.max' ? cpuMaxText(value) : FLAGS.has(file) ? value === '1' : number ? Number(value) : value,
    );
  }
}

function cpuMaxText(value: string): string {
  const [quota = 'max', period = '100000'] = value.split(/\s+/);
  return quota === 'max' ? 'max' : `${quota}us/${period}us`;
}

/** io.max, io.weight, io.latency, hugetlb.SIZE.max, rdma.max and misc.max as paths of the language. */
function keyedValue(file: string, value: string): Array<[string[], unknown]> | undefined {
  const lines = value
    .split('\n')
    .map((l) => l.trim().split(/\s+/))
    .filter((w) => w[0] !== '');
  const number = (text: string): number | string => (/^\d+$/.test(text) ? Number(text) : text);
  const pairs = (words: readonly string[]): Array<[string, number | string]> =>
    words.flatMap((w): Array<[string, number | string]> => {
      const [key, v] = w.split('=');
      return key === undefined || v === undefined ? [] : [[key, number(v)]];
    });
  const hugetlb = /^hugetlb\.(\d+)([KMG])B\.(rsvd\.)?max$/.exec(file);
  if (hugetlb !== null) {
    return [[['hugetlb', `${hugetlb[1]}${hugetlb[2]}iB`, hugetlb[3] === undefined ? 'max' : 'rsvd'], number(value)]];
  }
  switch (file) {
    case 'io.max':
      return lines.flatMap(([device = '', ...words]) =>
        pairs(words).map(([k, v]): [string[], unknown] => [['io', device, k], v]),
      );
    case 'io.weight':
      return lines.map(([first = '', second]): [string[], unknown] =>
        second === undefined || first === 'default'
          ? [['io', 'weight'], number(second ?? first)]
          : [['io', first, 'weight'], number(second)],
      );
    case 'rdma.max':
      return lines.flatMap(([device = '', ...words]) =>
        pairs(words).map(([k, v]): [string[], unknown] => [['rdma', device, k], v]),
      );
    case 'misc.max':
      return lines.map(([key = '', v = 'max']): [string[], unknown] => [['misc', key], number(v)]);
    default:
      return undefined;
  }
}
