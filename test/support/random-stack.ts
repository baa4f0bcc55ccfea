/** Random stacks, the same for the same seed: what pairs of them are applied one over the other. */

export type Random = () => number;

/** mulberry32: small, and good enough to pick things. */
export function random(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

type Map_ = Record<string, unknown>;

export interface RandomStack {
  readonly cgroups: Map_;
  readonly namespaces: Map_;
  readonly containers: Map_;
}

const CGROUPS = ['a', 'b', 'c'];
const CHILDREN = ['x', 'y'];
const CONTAINERS = ['web', 'db', 'job', 'side'];

const pick = <T>(r: Random, items: readonly T[]): T => items[Math.floor(r() * items.length)] as T;
const chance = (r: Random, p: number): boolean => r() < p;
/** A key that is there or not. */
const maybe = (r: Random, p: number, key: string, value: () => unknown): Map_ =>
  chance(r, p) ? { [key]: value() } : {};

/** @param quotas of the processor: on v1 one may not be larger than that above it */
function knobs(r: Random, quotas: readonly string[]): Map_ {
  return {
    ...maybe(r, 0.5, 'memory', () => ({ max: pick(r, ['32MiB', '48MiB', '64MiB', '96MiB']) })),
    ...maybe(r, 0.5, 'pids', () => ({ max: pick(r, [40, 60, 80, 'max']) })),
    ...maybe(r, 0.5, 'cpu', () => ({
      weight: pick(r, [50, 100, 300]),
      ...maybe(r, 0.5, 'max', () => pick(r, quotas)),
    })),
  };
}

function cgroup(r: Random, depth: number): Map_ {
  return {
    ...knobs(r, depth === 0 ? ['100%'] : ['150%', '180%']),
    ...maybe(r, 0.3, 'devices', () => pick(r, [[{ allow: 'all' }], [{ deny: 'all' }, { allow: 'c *:* rwm' }]])),
    ...(depth === 0
      ? {}
      : maybe(r, 0.6, 'children', () =>
          Object.fromEntries(CHILDREN.filter(() => chance(r, 0.5)).map((name) => [name, cgroup(r, depth - 1)])),
        )),
  };
}

function pathsOf(cgroups: Map_, above = ''): string[] {
  return Object.entries(cgroups).flatMap(([name, spec]) => {
    const path = above === '' ? name : `${above}/${name}`;
    return [path, ...pathsOf(((spec as Map_)['children'] ?? {}) as Map_, path)];
  });
}

function uses(r: Random, namespaces: Map_): Map_ {
  const declared = Object.entries(namespaces) as Array<[string, { type: string }]>;
  const of = (type: string): string[] => declared.filter(([, n]) => n.type === type).map(([name]) => name);
  return {
    ...maybe(r, 0.4, 'ipc', () => pick(r, ['new', ...of('ipc')])),
    ...maybe(r, 0.4, 'net', () => pick(r, ['new', 'host', ...of('net')])),
    ...maybe(r, 0.6, 'uts', () => pick(r, ['new', { hostname: pick(r, ['one', 'two']) }, ...of('uts')])),
  };
}

function container(
  r: Random,
  before: readonly string[],
  { cgroups, namespaces }: Pick<RandomStack, 'cgroups' | 'namespaces'>,
): Map_ {
  const paths = pathsOf(cgroups);
  const others = before.filter((n) => n !== 'side');
  const share = others.length > 0 && chance(r, 0.3);
  const own = share ? {} : uses(r, namespaces);
  return {
    command: ['sleep', pick(r, ['1001', '1002'])],
    stop_signal: 'KILL',
    ...(paths.length > 0 ? maybe(r, 0.5, 'cgroup', () => pick(r, paths)) : {}),
    ...knobs(r, ['50%', '20ms/50ms']),
    ...maybe(r, 0.4, 'env', () => ({ A: pick(r, ['1', '2']), ...maybe(r, 0.5, 'B', () => 'b c') })),
    ...maybe(r, 0.3, 'user', () => pick(r, ['1000:1000', '65534:65534'])),
    ...maybe(r, 0.3, 'capabilities', () => pick(r, [[], ['NET_ADMIN'], ['CHOWN', 'KILL']])),
    ...maybe(r, 0.3, 'oom_score_adj', () => pick(r, [100, 500])),
    ...maybe(r, 0.3, 'nice', () => pick(r, [1, 5])),
    ...maybe(r, 0.3, 'cpu_affinity', () => '0'),
    ...maybe(r, 0.3, 'restart', () => pick(r, [{ policy: 'no' }, { policy: 'on-failure', max: 3 }])),
    ...maybe(r, 0.3, 'mounts', () => [{ tmpfs: '/tmp/extra', size: pick(r, ['1MiB', '2MiB']) }]),
    ...maybe(r, 0.2, 'devices', () => [{ allow: '/dev/null rwm' }, { allow: '/dev/urandom r' }]),
    ...(share ? { share: pick(r, others) } : {}),
    ...(Object.keys(own).length > 0 ? { namespaces: own } : {}),
    ...(others.length > 0 ? maybe(r, 0.3, 'depends_on', () => [pick(r, others)]) : {}),
  };
}

/** A stack, or one that differs from `last` in some of its parts. */
export function randomStack(r: Random, last?: RandomStack): RandomStack {
  const kept = last !== undefined && chance(r, 0.7) ? last : undefined;
  const keep = <T>(part: T | undefined, make: () => T): T => (part !== undefined && chance(r, 0.6) ? part : make());
  const cgroups = keep(kept?.cgroups, () =>
    Object.fromEntries(CGROUPS.filter(() => chance(r, 0.6)).map((name) => [name, cgroup(r, 1)])),
  );
  const namespaces = keep(kept?.namespaces, () => ({
    ...maybe(r, 0.5, 'bus', () => ({ type: 'ipc' })),
    ...maybe(r, 0.5, 'names', () => ({ type: 'uts', hostname: pick(r, ['red', 'blue']) })),
    ...maybe(r, 0.4, 'lan', () => ({ type: 'net' })),
  }));
  const shared = { cgroups, namespaces };
  const containers: Map_ = {};
  for (const name of CONTAINERS.filter(() => chance(r, 0.6))) {
    const before = Object.keys(containers);
    const old = kept?.containers[name] as Map_ | undefined;
    // What it refers to may have gone with the rest.
    const fits =
      old !== undefined && kept?.cgroups === cgroups && kept.namespaces === namespaces && refersTo(old, before);
    containers[name] = fits ? keep(old, () => container(r, before, shared)) : container(r, before, shared);
  }
  if (chance(r, 0.3) && containers['side'] !== undefined) {
    containers['side'] = {
      ...(containers['side'] as Map_),
      replicas: pick(r, [0, 1, 2, 3]),
      update: { settle: '10ms' },
    };
  }
  return { cgroups, namespaces, containers };
}

function refersTo(spec: Map_, names: readonly string[]): boolean {
  const wanted = [spec['share'], ...((spec['depends_on'] ?? []) as string[])].filter((n) => n !== undefined);
  return wanted.every((n) => names.includes(n as string));
}

/** Its text: JSON is YAML. */
export function stackText(name: string, stack: RandomStack): string {
  return JSON.stringify({ tsbox: 1, name, ...stack });
}
