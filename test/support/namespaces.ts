/** What tests of namespaces share. */
import type { Sandbox } from './sandbox.ts';

export const NAMESPACES = ['user', 'mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup', 'time'] as const;

/** Process of each container of a stack, 0 for one that is not running. */
export async function pidsOf(box: Sandbox, stack: string): Promise<Record<string, number>> {
  const { stdout } = await box.tsbox('ps', '--json', '--stack', stack);
  const rows = JSON.parse(stdout) as Array<{ name: string; pid: number | null }>;
  return Object.fromEntries(rows.map((r) => [r.name, r.pid ?? 0]));
}
