/** Hand edits of what process attributes show, for the generic drift test: a mutator, or why there is none. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

export interface ProcessWorld {
  /** The container's process. */
  readonly pid: () => number;
}

export type ProcessEdit = ((world: ProcessWorld) => void) | string;

/** Runs a tool of util-linux on the process. */
const tool =
  (name: string, ...args: string[]): ProcessEdit =>
  ({ pid }) =>
    void execFileSync(name, [...args, String(pid())], { stdio: 'ignore' });

const OWN = 'only the process itself can change it, and what it does to itself is not drift';

export const PROCESS_EDITS: Readonly<Record<string, ProcessEdit>> = {
  umask: OWN,
  personality: OWN,
  keyring: 'the kernel does not show it: compared with the record on the object',
  landlock: 'the kernel does not show it, and nobody can take it off',
  apparmor: OWN,
  selinux: OWN,
  memory_policy: OWN,
  core_sched: 'neither kernel of the tests has core scheduling, and none of their processors two threads in a core',
  'capabilities.permitted': OWN,
  'capabilities.effective': OWN,
  'capabilities.inheritable': OWN,
  'capabilities.ambient': OWN,
  rlimits: tool('prlimit', '--nofile=200:500', '--pid'),
  oom_score_adj: ({ pid }) => writeFileSync(`/proc/${pid()}/oom_score_adj`, '77'),
  nice: tool('renice', '-n', '7', '-p'),
  scheduler: tool('chrt', '--batch', '--pid', '0'),
  ioprio: tool('ionice', '-c', '2', '-n', '7', '-p'),
  cpu_affinity: ({ pid }) => {
    const allowed = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync(`/proc/${pid()}/status`, 'utf8'))?.[1] ?? '0';
    execFileSync('taskset', ['-pc', allowed === '0' ? '1' : '0', String(pid())], { stdio: 'ignore' });
  },
};
