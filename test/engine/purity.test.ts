/** A plan writes nothing: proved by strace over plan, drift and show, on a stack that differs in every way. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { CLI, sandbox } from '../support/sandbox.ts';

const CALLS = [
  'mkdir',
  'mkdirat',
  'rmdir',
  'unlink',
  'unlinkat',
  'rename',
  'renameat',
  'renameat2',
  'setxattr',
  'lsetxattr',
  'fsetxattr',
  'removexattr',
  'mount',
  'umount2',
  'move_mount',
  'open_tree',
  'fsmount',
  'mount_setattr',
  'pivot_root',
  'kill',
  'tkill',
  'pidfd_send_signal',
  'clone3',
  'bpf',
  'open',
  'openat',
  'openat2',
  'sethostname',
  'setdomainname',
  'unshare',
  'write',
  'pwrite64',
  'flock',
];

const strace = spawnSync('strace', ['-V']).status === 0;
if (!strace) {
  console.log('# SKIP purity: strace is not installed');
}

(strace ? test : test.skip)('plan, drift and show write nothing', async () => {
  const before = await snapshot();
  const box = await sandbox('purity');
  try {
    const file = join(process.cwd(), 'stacks/tenants.yaml');
    const commands = [
      ['plan', '-f', file],
      ['drift', '-f', file],
      ['show', '-f', file],
      ['stats', '--interval', '0.1'],
      ['ps'],
    ];
    const trace = join(box.dir, 'trace');
    for (const round of ['before the apply', 'after it']) {
      for (const command of commands) {
        const traced = await box.run('strace', [
          '-f',
          '-qq',
          '-o',
          trace,
          '-e',
          `trace=${CALLS.join(',')}`,
          process.execPath,
          CLI,
          ...command,
        ]);
        assert.ok(traced.code === 0 || traced.code === 2, traced.stderr);
        const guilty = readFileSync(trace, 'utf8')
          .split('\n')
          .filter((line) => isWrite(line));
        assert.equal(guilty, [], `${command.join(' ')} ${round}`);
      }
      if (round === 'before the apply') {
        assert.is((await box.tsbox('apply', '-f', file, '--auto-approve')).code, 0);
      }
    }
    assert.is((await box.tsbox('destroy', '-f', file, '--auto-approve')).code, 0);
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
});

/** A call that changes the system. Threads, pipes to ourselves and the standard streams are our own affair. */
function isWrite(line: string): boolean {
  const call = /^\d+\s+(\w+)\(/.exec(line)?.[1];
  if (call === undefined || / = -1 E/.test(line)) {
    return false;
  }
  switch (call) {
    case 'open':
    case 'openat':
    case 'openat2':
      return (
        /O_WRONLY|O_RDWR|O_CREAT|O_TRUNC/.test(line) && !line.includes('"/dev/null"') && !line.includes('"/dev/tty"')
      );
    case 'write':
    case 'pwrite64':
      // Event descriptors, pipes and memfds of the process itself; a cgroup file could only be written once opened so.
      return false;
    case 'clone3':
      // Threads of node, and the child that joins uts namespaces to read names: neither makes a namespace.
      return /CLONE_NEW|CLONE_INTO_CGROUP/.test(line);
    case 'bpf':
      return /BPF_PROG_LOAD|BPF_PROG_ATTACH|BPF_PROG_DETACH|BPF_MAP/.test(line);
    default:
      return true;
  }
}

test.run();
