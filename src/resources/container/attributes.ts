/** The attribute table of a container: its process, its namespaces, its cgroup. */
import { attributeTable, type Attribute } from '../attribute.ts';
import { DEVICES_ATTRIBUTE, HIERARCHIES_ATTRIBUTE, KNOB_ATTRIBUTES } from '../cgroup/attributes.ts';
import { HOOK_ATTRIBUTES } from './hooks.ts';
import { TERMINAL_ATTRIBUTES } from './terminal.ts';
import { HEALTH_ATTRIBUTES } from './health.ts';
import { FILES_ATTRIBUTES } from './files.ts';
import { MOUNTS_ATTRIBUTES } from './mounts/index.ts';
import { NETWORK_ATTRIBUTES } from '../network/attributes.ts';
import { IDMAP_ATTRIBUTES } from './idmap.ts';
import { SET_ATTRIBUTES } from './process/sets.ts';
import { CONFINE_ATTRIBUTES } from './process/confine.ts';
import { START_ATTRIBUTES } from './process/start.ts';
import { RESTING } from './rest.ts';
import { SETTINGS_ATTRIBUTES } from './process/settings.ts';
import { NAMESPACE_ROWS } from '../namespace/registry.ts';
import { SYSCTLS_ATTRIBUTE } from '../namespace/sysctls.ts';

const PROCESS = 'it is fixed when the process starts';

function recorded(name: string, doc: string, source: string, list?: 'set' | 'argv'): Attribute {
  return {
    name,
    change: 'replace',
    reason: PROCESS,
    observed: 'recorded',
    doc,
    source,
    ...(list === undefined ? {} : { list }),
  };
}

/** Read in /proc, as far as the process has not changed it by itself: process/identity.ts. */
function started(name: string, doc: string, source: string, list?: 'argv'): Attribute {
  return { ...recorded(name, doc, source, list), observed: 'live' };
}

const OWN: readonly Attribute[] = [
  {
    name: 'state',
    change: 'restart',
    observed: 'live',
    doc: 'running; completed when it ended well and is not to be restarted; stopped by hand where the policy is unless-stopped',
    source: 'proc_pid_stat(5)',
    // Between two runs the supervisor is at it; a job that ended well has done what was declared.
    satisfied: (declared, live) =>
      declared === 'running' && (live === 'completed' || live === 'restarting' || live === RESTING),
  },
  {
    name: 'supervisor',
    change: 'in-place',
    observed: 'live',
    doc: 'the small process that logs, restarts and stops the container',
    source: 'docs/how-it-works.md',
    satisfied: (_, live) => live === 'done',
  },
  {
    name: 'cgroup',
    change: 'replace',
    reason: 'a cgroup cannot be renamed',
    observed: 'recorded',
    doc: 'its leaf cgroup below the stack',
    source: 'cgroups(7)',
  },
  {
    name: 'placement',
    change: 'in-place',
    list: 'set',
    observed: 'live',
    doc: 'the cgroup hierarchies in which its process is in the leaf',
    source: 'proc_pid_cgroup(5)',
  },
  recorded('rootfs', 'what it sees as /', 'pivot_root(2)'),
  started('command', 'program and arguments, as started', 'execve(2)', 'argv'),
  started('env', 'environment, as started', 'environ(7)'),
  recorded('working_dir', 'working directory, as started', 'chdir(2)'),
  started('user', 'uid:gid and supplementary groups, as started', 'credentials(7)'),
  recorded('masked_paths', 'paths covered by nothing', 'mount(2)', 'set'),
  recorded('readonly_paths', 'paths that cannot be written', 'mount_setattr(2)', 'set'),
  recorded(
    'log',
    'where its output goes: a file with its size and number, the journal, nowhere',
    'docs/stack-language.md',
  ),
  {
    name: 'capabilities',
    change: 'replace',
    reason: 'a process cannot be given capabilities from outside',
    list: 'set',
    observed: 'live',
    doc: 'the most it and its children can have (the bounding set)',
    source: 'capabilities(7)',
  },
  {
    name: 'no_new_privs',
    change: 'replace',
    reason: 'the flag can only be set by the process itself',
    observed: 'live',
    doc: 'execve gives no privileges (setuid bits are ignored)',
    source: 'PR_SET_NO_NEW_PRIVS(2const)',
  },
  {
    name: 'seccomp',
    change: 'replace',
    reason: 'a filter can only be added by the process itself',
    observed: 'live',
    doc: 'the system call filter',
    source: 'seccomp(2)',
  },
  {
    name: 'restart',
    change: 'in-place',
    observed: 'live',
    doc: 'what its supervisor does when it ends',
    source: 'docs/stack-language.md',
  },
  {
    name: 'stop',
    change: 'in-place',
    observed: 'live',
    doc: 'the signal that asks it to end, and how long it has before it is killed',
    source: 'signal(7)',
  },
];

const NAMESPACES: readonly Attribute[] = NAMESPACE_ROWS.map((row) => ({
  name: `namespace.${row.type}`,
  change: 'replace',
  reason: row.reason,
  observed: 'live',
  doc: row.doc,
  source: row.source,
}));

export const CONTAINER_ATTRIBUTES = attributeTable([
  ...OWN,
  ...IDMAP_ATTRIBUTES,
  ...HEALTH_ATTRIBUTES,
  ...SETTINGS_ATTRIBUTES,
  ...START_ATTRIBUTES,
  ...CONFINE_ATTRIBUTES,
  ...SET_ATTRIBUTES,
  ...MOUNTS_ATTRIBUTES,
  ...FILES_ATTRIBUTES,
  ...HOOK_ATTRIBUTES,
  ...TERMINAL_ATTRIBUTES,
  ...NAMESPACES,
  ...NAMESPACE_ROWS.flatMap((row) => row.settings),
  SYSCTLS_ATTRIBUTE,
  ...KNOB_ATTRIBUTES,
  DEVICES_ATTRIBUTE,
  ...NETWORK_ATTRIBUTES,
  HIERARCHIES_ATTRIBUTE,
]);
