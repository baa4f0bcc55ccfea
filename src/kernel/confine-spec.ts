/** The part of the description that a process asks for itself: Landlock, labels, memory policy, core scheduling. */

/** Tags of native/init/spec.h. */
const TAGS = { landlock: 110, landlockPath: 111, landlockPort: 112, lsmLabel: 113, memoryPolicy: 114, coreGroup: 115 };

/** struct landlock_ruleset_attr and its rules (landlock(7)); masks of LANDLOCK_ACCESS_* and LANDLOCK_SCOPE_*. */
export interface LandlockRules {
  readonly files: number;
  readonly net: number;
  readonly scoped: number;
  readonly paths: ReadonlyArray<{ readonly path: string; readonly access: number }>;
  readonly ports: ReadonlyArray<{ readonly port: number; readonly access: number }>;
}

export interface Confinement {
  readonly landlock?: LandlockRules;
  /** Written to /proc/self/attr/FILE. */
  readonly labels?: ReadonlyArray<{ readonly file: string; readonly label: string }>;
  /** set_mempolicy(2): mode with flags, and the nodes of its mask. */
  readonly memoryPolicy?: { readonly mode: number; readonly nodes: readonly number[] };
  /** A core scheduling group of its own, or that of a process. */
  readonly coreGroup?: 'own' | { readonly pid: number };
}

interface Fields {
  u32(value: number): this;
  u64(value: number | bigint): this;
  str(value: string): this;
}

interface Records {
  record(tag: number, fill: (fields: Fields) => void): unknown;
}

export function encodeConfinement(w: Records, c: Confinement): void {
  const { landlock, memoryPolicy, coreGroup } = c;
  if (landlock !== undefined) {
    w.record(TAGS.landlock, (r) => r.u64(landlock.files).u64(landlock.net).u64(landlock.scoped));
    for (const { path, access } of landlock.paths) w.record(TAGS.landlockPath, (r) => r.u64(access).str(path));
    for (const { port, access } of landlock.ports) w.record(TAGS.landlockPort, (r) => r.u64(access).u64(port));
  }
  for (const { file, label } of c.labels ?? []) w.record(TAGS.lsmLabel, (r) => r.str(file).str(label));
  if (memoryPolicy !== undefined) {
    w.record(TAGS.memoryPolicy, (r) => {
      r.u32(memoryPolicy.mode);
      const words = Math.floor(Math.max(-1, ...memoryPolicy.nodes) / 64) + 1;
      for (let word = 0; word < words; word++) {
        r.u64(
          memoryPolicy.nodes
            .filter((n) => Math.floor(n / 64) === word)
            .reduce((mask, n) => mask | (1n << BigInt(n % 64)), 0n),
        );
      }
    });
  }
  if (coreGroup !== undefined) {
    w.record(TAGS.coreGroup, (r) => r.u32(coreGroup === 'own' ? 0xffffffff : coreGroup.pid));
  }
}
