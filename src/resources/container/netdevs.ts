/** Network devices that a network namespace has by itself. */

/** lo, and what tunnel modules put into each new namespace (ip-sysctl.rst, fb_tunnels_only_for_init_net). */
const INITIAL: ReadonlySet<string> = new Set([
  'lo',
  'tunl0',
  'gre0',
  'gretap0',
  'erspan0',
  'ip_vti0',
  'ip6_vti0',
  'sit0',
  'ip6tnl0',
  'ip6gre0',
]);

export function isInitial(name: string): boolean {
  return INITIAL.has(name);
}

/** Names in /proc/PID/net/dev (proc_pid_net(5)). */
export function deviceNames(text: string): string[] {
  return text.split('\n').flatMap((line) => {
    const name = /^\s*(\S+?):\s/.exec(line)?.[1];
    return name === undefined ? [] : [name];
  });
}
