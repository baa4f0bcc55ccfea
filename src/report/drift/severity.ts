/** How bad a drift is, by one table: the first row that fits says it, with the reason that readers see. */
import type { Severity } from '../../resources/drift-settings.ts';
import { fitsGlob } from '../../resources/glob.ts';
import type { Finding } from './items.ts';
import type { Direction, DriftClass } from './model.ts';

export interface SeverityRule {
  readonly class?: DriftClass;
  /** Prefix of the address. */
  readonly kind?: string;
  /** Globs. */
  readonly attributes?: readonly string[];
  readonly direction?: Direction;
  readonly severity: Severity;
  readonly why: string;
}

export const SEVERITY_RULES: readonly SeverityRule[] = [
  {
    class: 'unmanaged',
    attributes: ['process'],
    severity: 'security',
    why: 'somebody runs with what is reserved for it',
  },
  {
    class: 'unmanaged',
    attributes: ['cgroup'],
    severity: 'security',
    why: 'somebody takes a share of what it was given',
  },
  { class: 'unmanaged', attributes: ['mount'], severity: 'security', why: 'it sees files that nobody declared' },
  {
    class: 'unmanaged',
    attributes: ['program'],
    severity: 'security',
    why: 'a program of somebody else decides for it',
  },
  {
    class: 'unmanaged',
    attributes: ['netdev'],
    severity: 'security',
    why: 'a way into its network, or out, that nobody declared',
  },
  { class: 'unmanaged', severity: 'security', why: 'nobody declared it' },
  { class: 'foreign', severity: 'security', why: 'somebody else has it: nothing can be applied here' },
  { class: 'missing', kind: 'cgroup', severity: 'security', why: 'its limits hold nobody any more' },
  { class: 'missing', kind: 'volume', severity: 'capacity', why: 'what was kept in it is not there' },
  { class: 'missing', severity: 'capacity', why: 'what it did is not done' },
  { class: 'stopped', severity: 'capacity', why: 'it does not run' },
  { class: 'supervision', severity: 'capacity', why: 'nobody restarts it, checks it or keeps its log' },
  {
    attributes: ['devices'],
    direction: 'loosened',
    severity: 'security',
    why: 'it may use devices that it was denied',
  },
  { attributes: ['devices'], severity: 'capacity', why: 'it is denied devices that it needs' },
  {
    attributes: ['capabilities*'],
    direction: 'loosened',
    severity: 'security',
    why: 'it has privileges that it was denied',
  },
  { attributes: ['capabilities*'], severity: 'capacity', why: 'it lacks privileges that it was given' },
  {
    attributes: ['no_new_privs'],
    direction: 'loosened',
    severity: 'security',
    why: 'it can gain privileges by execve',
  },
  {
    attributes: ['apparmor', 'selinux', 'landlock'],
    severity: 'security',
    why: 'another policy decides what it may do',
  },
  { attributes: ['core_sched'], severity: 'security', why: 'it shares its cores with others than declared' },
  { attributes: ['seccomp'], severity: 'security', why: 'another filter decides about its system calls' },
  {
    attributes: ['masked_paths', 'readonly_paths'],
    direction: 'tightened',
    severity: 'cosmetic',
    why: 'more is hidden',
  },
  {
    attributes: ['masked_paths', 'readonly_paths'],
    severity: 'security',
    why: 'kernel files that were hidden can be reached',
  },
  { attributes: ['mounts'], direction: 'tightened', severity: 'capacity', why: 'files that it needs are not there' },
  {
    attributes: ['mounts', 'secrets', 'configs', 'rootfs*'],
    severity: 'security',
    why: 'it sees other files than declared',
  },
  { attributes: ['namespace.*', 'type', 'pin', 'keeper'], severity: 'security', why: 'it is not isolated as declared' },
  {
    attributes: ['user', 'uid_map', 'gid_map', 'setgroups', 'owner', 'umask', 'keyring', 'personality'],
    severity: 'security',
    why: 'its identity or rights are others',
  },
  { attributes: ['mode'], direction: 'loosened', severity: 'security', why: 'others may read or write what it keeps' },
  { attributes: ['mode', 'path'], severity: 'capacity', why: 'what is kept may be out of reach' },
  {
    attributes: ['command', 'env', 'working_dir', 'hooks', 'init'],
    severity: 'security',
    why: 'another program runs than declared',
  },
  {
    attributes: ['placement', 'hierarchies', 'cgroup', 'adopted'],
    severity: 'security',
    why: 'its limits do not hold it',
  },
  {
    attributes: ['sysctls'],
    severity: 'security',
    why: 'kernel parameters decide what its network and IPC let through',
  },
  { attributes: ['network_tag.mark'], severity: 'security', why: 'firewall and routes know its packets by the mark' },
  { direction: 'loosened', severity: 'security', why: 'it can take more than it was given, from others' },
  { direction: 'tightened', severity: 'capacity', why: 'it has less than it was given' },
  { attributes: ['cgroup.freeze'], severity: 'capacity', why: 'it runs when it should not, or the other way round' },
  {
    attributes: ['hostname', 'domainname', 'cgroup.pressure', 'log', 'tty', 'stdin', 'cpu.weight.nice'],
    severity: 'cosmetic',
    why: 'nothing it may do or use depends on it',
  },
  {
    attributes: ['health', 'healthcheck', 'restart', 'stop'],
    severity: 'capacity',
    why: 'what keeps it running is not as declared',
  },
  { severity: 'capacity', why: 'it gets another share than declared' },
];

export function judge(finding: Finding): { severity: Severity; why: string } {
  const rule = SEVERITY_RULES.find(
    (r) =>
      (r.class ?? finding.class) === finding.class &&
      (r.kind === undefined || finding.address.startsWith(`${r.kind}/`)) &&
      (r.direction ?? finding.direction) === finding.direction &&
      (r.attributes?.some((a) => fitsGlob(a, finding.attribute)) ?? true),
  );
  // The last row fits everything.
  return { severity: rule?.severity ?? 'capacity', why: rule?.why ?? '' };
}
