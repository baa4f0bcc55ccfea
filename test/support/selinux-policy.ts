/** The least policy that a kernel takes: one type for all there is, types for containers, and one thing that is denied. */

/** What the kernel knows as initial labels, by number (security/selinux/include/initial_sid_to_string.h). */
const INITIAL = [
  'kernel',
  'security',
  'unlabeled',
  '',
  'file',
  '',
  '',
  'any_socket',
  'port',
  'netif',
  'netmsg',
  'node',
];
const DEVNULL = 27;

/** The type of all processes and files that have no other. */
export const SELINUX_BASE = 'base_t';

/**
 * The source of a policy with levels and the categories c0 to c3, for checkpolicy(8). Whoever is of one of the types may
 * become another, also without privileges to gain; box_t alone may not read what is on a ramfs.
 */
export function policyText(types: readonly string[]): string {
  const sids = Array.from({ length: DEVNULL }, (_, i) => (i === DEVNULL - 1 ? 'devnull' : INITIAL[i] || `unused${i}`));
  const readers = [SELINUX_BASE, ...types.filter((type) => type !== 'box_t')];
  return `class process
class file
${sids.map((sid) => `sid ${sid}`).join('\n')}
class process { transition dyntransition }
class file { read entrypoint }
sensitivity s0;
dominance { s0 }
${[0, 1, 2, 3].map((n) => `category c${n};`).join('\n')}
level s0:c0.c3;
mlsconstrain process { transition } (h1 dom h2 or h1 domby h2 or h1 incomp h2);
attribute domain;
${[SELINUX_BASE, ...types].map((type) => `type ${type}, domain;`).join('\n')}
type secret_t;
policycap nnp_nosuid_transition;
allow domain domain:process { transition dyntransition };
allow domain domain:file { read entrypoint };
allow { ${readers.join(' ')} } secret_t:file read;
role system_r;
role system_r types domain;
user system_u roles { system_r } level s0 range s0 - s0:c0.c3;
${sids.map((sid) => `sid ${sid} system_u:system_r:${SELINUX_BASE}:s0`).join('\n')}
genfscon ramfs / system_u:object_r:secret_t:s0
`;
}
