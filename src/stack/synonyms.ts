/** Words of other tools for what the stack language calls differently, and words it will have. */

const SYNONYMS: Readonly<Record<string, string>> = {
  network: 'net',
  mount: 'mnt',
  environment: 'env',
  cmd: 'command',
  cap_add: 'capabilities',
  workdir: 'working_dir',
  cwd: 'working_dir',
  services: 'containers',
  version: 'tsbox',
  mem_limit: 'memory',
  pids_limit: 'pids',
  cpus: 'cpu',
  logging: 'log',
  blkio: 'io',
  memswap: 'swap',
  shares: 'weight',
  pod: 'share',
  quota: 'max',
  limit: 'max',
};

/** Keys of the language that this version does not have. */
const LATER: ReadonlySet<string> = new Set(['healthcheck', 'mounts', 'volumes', 'networks', 'image', 'rlimits']);

/** The known word that means the same elsewhere. */
export function synonym(word: string, known: readonly string[]): string | undefined {
  const ours = Object.hasOwn(SYNONYMS, word) ? SYNONYMS[word] : undefined;
  return ours !== undefined && known.includes(ours) ? ours : undefined;
}

/** Words that mean opposite things in other tools: none is guessed. */
const AMBIGUOUS: Readonly<Record<string, string>> = {
  reservation: 'say low (memory kept from reclaim) or high (use above it is throttled): tools differ in what they mean',
  mem_reservation: 'say memory.low (kept from reclaim) or memory.high (use above it is throttled)',
  soft: 'say low (memory kept from reclaim) or high (use above it is throttled): tools differ in what they mean',
};

/** A hint for a key of a later version, or one that cannot be taken for another. */
export function laterKey(key: string): string | undefined {
  if (Object.hasOwn(AMBIGUOUS, key)) {
    return AMBIGUOUS[key];
  }
  return LATER.has(key) ? `${key} is not part of this version yet` : undefined;
}
