/**
 * Every type of namespace by every way to name it, proved by the inodes in /proc: new, host, declared (pinned), that of
 * a container here and in another stack, of a process, of a file.
 */
import { spawn } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { NAMESPACES, pidsOf } from '../support/namespaces.ts';
import { nsInode, sandbox, type Sandbox } from '../support/sandbox.ts';
import { until } from '../support/wait.ts';

const OTHER = `
tsbox: 1
name: other
containers:
  owner: { command: [sleep, infinity], namespaces: { user: new, time: new } }
`;

/** A container for each type that says only where it takes that one from; and what else it then needs. */
function stack(use: (type: string) => string, also: Readonly<Record<string, string>>): string {
  const containers = NAMESPACES.map(
    (t) => `  ${t}: { command: [sleep, infinity], namespaces: { ${t}: ${use(t)}${also[t] ?? ''} } }`,
  );
  return `
tsbox: 1
name: uses
namespaces:
${NAMESPACES.map((t) => `  my-${t}: { type: ${t} }`).join('\n')}
containers:
  owner: { command: [sleep, infinity], namespaces: { user: new, time: new } }
${containers.join('\n')}
`;
}

let box: Sandbox;
let before: Awaited<ReturnType<typeof snapshot>>;
let stranger: ReturnType<typeof spawn>;
let pid = 0;

function childOf(parent: number): number {
  return Number(readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').trim().split(' ')[0] ?? 0);
}

const host = (type: string): string => nsInode(process.pid, type);

test.before(async () => {
  before = await snapshot();
  box = await sandbox('uses');
  const other = box.write('other.yaml', OTHER);
  const applied = await box.tsbox('apply', '-f', other, '--auto-approve');
  assert.is(applied.code, 0, applied.stderr + applied.stdout);
  // Somebody else's process with all of its own; the child, for unshare itself stays outside pid and time.
  stranger = spawn(
    'unshare',
    ['-U', '-r', '-m', '-p', '-n', '-i', '-u', '-C', '-T', '--fork', '--kill-child', '--mount-proc', 'sleep', '600'],
    { stdio: 'ignore' },
  );
  await until('its child', () => {
    pid = childOf(stranger.pid ?? 0);
    return pid !== 0 && nsInode(pid, 'pid') !== host('pid') && nsInode(pid, 'time') !== host('time');
  });
});

test.after(async () => {
  stranger.kill('SIGKILL');
  await box.tsbox('destroy', '--stack', 'uses', '--auto-approve');
  const destroyed = await box.tsbox('destroy', '--stack', 'other', '--auto-approve');
  await box.cleanup();
  assert.is(destroyed.code, 0, destroyed.stderr);
  assertNoLeaks(before, await snapshot());
});

/** A pid namespace's own /proc is mounted by the user namespace that owns it. */
const WITH_USER = (use: string): Record<string, string> => ({ pid: `, user: ${use}` });

interface Row {
  readonly name: string;
  readonly use: (type: string) => string;
  readonly also: Record<string, string>;
  /** The inode that the container of the type must have, given the process of the owner here. */
  readonly expected: (type: string, owner: number) => string | undefined;
}

const ROWS: () => Row[] = () => [
  { name: 'new', use: () => 'new', also: {}, expected: () => undefined },
  { name: 'host', use: () => 'host', also: {}, expected: host },
  { name: 'declared', use: (t) => `my-${t}`, also: {}, expected: (t) => pinned(t) },
  {
    name: 'container/NAME',
    use: () => 'container/owner',
    also: WITH_USER('container/owner'),
    expected: (t, owner) => nsInode(owner, t),
  },
  {
    name: 'container/STACK:NAME',
    use: () => 'container/other:owner',
    also: WITH_USER('container/other:owner'),
    expected: (t) => nsInode(others, t),
  },
  { name: 'pid:N', use: () => `pid:${pid}`, also: WITH_USER(`pid:${pid}`), expected: (t) => nsInode(pid, t) },
  {
    name: 'path:/FILE',
    use: (t) => `path:/proc/${pid}/ns/${t}`,
    also: WITH_USER(`path:/proc/${pid}/ns/user`),
    expected: (t) => nsInode(pid, t),
  },
];

let others = 0;

function pinned(type: string): string {
  return `${type}:[${statSync(`${box.runDir}/uses/ns/my-${type}`).ino}]`;
}

test('8 types × 7 ways: inodes', async () => {
  others = (await pidsOf(box, 'other'))['owner'] ?? 0;
  for (const row of ROWS()) {
    const file = box.write('uses.yaml', stack(row.use, row.also));
    const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(applied.code, 0, `${row.name}: ${applied.stderr}${applied.stdout}`);
    const pids = await pidsOf(box, 'uses');
    const owner = pids['owner'] ?? 0;
    for (const type of NAMESPACES) {
      const found = nsInode(pids[type] ?? 0, type);
      const expected = row.expected(type, owner);
      if (expected === undefined) {
        assert.is.not(found, host(type), `${row.name} ${type}`);
        assert.is.not(found, nsInode(owner, type), `${row.name} ${type}`);
      } else {
        assert.is(found, expected, `${row.name} ${type}`);
      }
      // Nothing else came along.
      for (const beside of NAMESPACES.filter((t) => t !== type && !(type === 'pid' && t === 'user'))) {
        const usual = beside === 'user' || beside === 'time';
        assert.is(
          nsInode(pids[type] ?? 0, beside) === host(beside),
          usual,
          `${row.name} ${type}: its ${beside} namespace`,
        );
      }
    }
    const again = await box.tsbox('plan', '-f', file, '--detailed-exitcode');
    assert.is(again.code, 0, `${row.name}: ${again.stdout}`);
  }
});

test.run();
