/** Words of other tools for what the stack language calls differently, and words it will have. */

const SYNONYMS: Readonly<Record<string, string>> = {
  network: 'net',
  mount: 'mnt',
  environment: 'env',
  entrypoint: 'command',
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
};

/** Keys of the language that this version does not have. */
const LATER: ReadonlySet<string> = new Set([
  'healthcheck',
  'mounts',
  'volumes',
  'networks',
  'image',
  'replicas',
  'sysctls',
  'rlimits',
  'io',
  'hugetlb',
  'swap',
]);

/** The known word that means the same elsewhere. */
export function synonym(word: string, known: readonly string[]): string | undefined {
  const ours = Object.hasOwn(SYNONYMS, word) ? SYNONYMS[word] : undefined;
  return ours !== undefined && known.includes(ours) ? ours : undefined;
}

/** A hint for a key of a later version. */
export function laterKey(key: string): string | undefined {
  return LATER.has(key) ? `${key} is not part of this version yet` : undefined;
}
