/** Attributes of namespaces edited by hand, for the drift test. */
import { execFileSync } from 'node:child_process';

/** Kernel parameters of the drift stack, declared as something else than what an edit writes. */
export const SYSCTLS = '{ net.ipv4.ip_forward: 1 }';

/** A kernel parameter of the network namespace behind a file. */
export function editSysctl(netns: string): void {
  execFileSync('nsenter', [`--net=${netns}`, '--', 'sh', '-c', 'echo 0 > /proc/sys/net/ipv4/ip_forward']);
}
