/** What /proc shows of a process, read without tsbox: two processes that were started alike show the same. */
import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { NAMESPACES } from './namespaces.ts';
import { nsInode, procStatus } from './sandbox.ts';

const STATUS = ['Uid', 'Gid', 'Groups', 'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs', 'Seccomp', 'Umask']; // prettier-ignore

export function processFacts(pid: number): Record<string, unknown> {
  const read = (file: string): string => readFileSync(`/proc/${pid}/${file}`, 'utf8');
  const status = procStatus(pid);
  const fields = read('stat')
    .replace(/^.*\) /s, '')
    .split(' ');
  return {
    ...Object.fromEntries(STATUS.map((key) => [key, status.get(key)?.replace(/\s+/g, ' ')])),
    cmdline: read('cmdline'),
    environ: read('environ').split('\0').sort().join('\n'),
    limits: read('limits').replace(/ +/g, ' '),
    oom: read('oom_score_adj'),
    nice: fields[16],
    policy: fields[38],
    cpus: status.get('Cpus_allowed_list'),
    ioprio: execFileSync('ionice', ['-p', String(pid)], { encoding: 'utf8' }),
    cwd: readlinkSync(`/proc/${pid}/cwd`),
    uid_map: read('uid_map'),
    gid_map: read('gid_map'),
    setgroups: read('setgroups'),
    time: read('timens_offsets').replace(/ +/g, ' '),
    hostname: execFileSync('nsenter', ['-t', String(pid), '-u', 'hostname'], { encoding: 'utf8' }),
    own: NAMESPACES.filter((type) => nsInode(pid, type) !== nsInode(process.pid, type)),
  };
}
