/** What this kernel has of what a process can ask for itself. */
import type { KernelReader } from '../kernel/reader.ts';
import { noCoreGroups, securityModules } from '../resources/container/process/confine.ts';
import type { Finding } from './examine.ts';

export function confinementFindings(reader: KernelReader): Finding[] {
  const abi = reader.landlockAbi();
  const modules = securityModules(reader);
  const core = noCoreGroups(reader);
  const finding = (what: string, ok: boolean, detail: string): Finding => ({
    what,
    status: ok ? 'ok' : 'limited',
    detail,
    essential: false,
  });
  return [
    finding(
      'Landlock',
      abi >= 6,
      abi < 0 ? 'not enabled in this kernel' : `version ${abi}${abi < 6 ? lacking(abi) : ''}`,
    ),
    finding('AppArmor', modules.apparmor, modules.apparmor ? 'apparmor: PROFILE' : 'not enabled in this kernel'),
    finding('SELinux', modules.selinux, modules.selinux ? 'selinux: LABEL' : 'not enabled in this kernel'),
    finding('core scheduling', core === undefined, core ?? 'core_sched: true'),
  ];
}

/** landlock(7), "Previous limitations". */
function lacking(abi: number): string {
  const lacks = [
    [2, 'refer'],
    [3, 'truncate'],
    [4, 'TCP ports'],
    [5, 'ioctl_dev'],
    [6, 'scopes'],
  ] as const;
  return `, without ${lacks.flatMap(([since, what]) => (since > abi ? [what] : [])).join(', ')}`;
}
