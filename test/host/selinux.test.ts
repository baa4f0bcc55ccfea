/**
 * Labels of SELinux under a policy of our own: given at the exec, read back, enforced, drift. Where the kernel has none:
 * that it is said.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { pidsOf } from '../support/namespaces.ts';
import { sandbox, startTime, type Sandbox } from '../support/sandbox.ts';
import { policyText, SELINUX_BASE } from '../support/selinux-policy.ts';
import { until } from '../support/wait.ts';

const STACK = 'selinux';
const label = (type: string, level = 's0:c1,c2'): string => `system_u:system_r:${type}:${level}`;
const BOX = label('box_t');
const stack = (selinux: string): string => `
tsbox: 1
name: ${STACK}
containers:
  web:
    init: true
    command: [sh, -c, 'while :; do sleep 0.1; done']
    selinux: ${selinux}
    mounts: [{ bind: ./secret, target: /run/secret }]
    healthcheck: { command: [grep, -q, ':box_t:', /proc/self/attr/current], interval: 200ms, retries: 100000 }
    stop_grace_period: 0s
  mapped:
    command: [sleep, "1000"]
    selinux: ${selinux}
    namespaces: { user: { uids: [{ inside: 0, outside: 100000, count: 65536 }] } }
    stop_grace_period: 0s
`;

const FS = '/sys/fs/selinux';
/** Everything is 'kernel' before a policy is loaded; one that is there belongs to the machine and is not replaced. */
const taken = (): boolean => labelOf('self').includes(':');
const enabled = readFileSync('/proc/filesystems', 'utf8').includes('selinuxfs');
const labelOf = (pid: number | 'self'): string =>
  readFileSync(`/proc/${pid}/attr/current`, 'utf8').replace(/\0$/, '').trim();

/** Compiles a policy with these types of containers and makes it the kernel's. */
function load(box: Sandbox, types: readonly string[]): void {
  const binary = join(box.dir, 'policy');
  // What the policy says nothing of is allowed.
  execFileSync('checkpolicy', ['-M', '-U', 'allow', '-o', binary, box.write('policy.conf', policyText(types))]);
  // The kernel takes it in one write.
  writeFileSync(join(FS, 'load'), readFileSync(binary));
}

test('SELinux: a label is what the program, an exec and a probe run under; its loss and its change are drift', async () => {
  const before = await snapshot();
  const box = await sandbox(STACK);
  const secret = join(box.dir, 'secret');
  mkdirSync(secret);
  const file = box.write('stack.yaml', stack(BOX));
  const run = async (code: number, ...args: string[]): Promise<string> => {
    const result = await box.tsbox(...args);
    assert.is(result.code, code, `${args.join(' ')}: ${result.stdout}${result.stderr}`);
    return result.stdout + result.stderr;
  };
  const inside = (...argv: string[]): ReturnType<Sandbox['tsbox']> => box.tsbox('exec', `${STACK}:web`, '--', ...argv);
  const read = ['cat', '/proc/self/attr/current', '/run/secret/note'];
  try {
    if (!enabled) {
      const said = await run(1, 'apply', '-f', file, '-y');
      assert.match(said, 'container/web: SELinux is not enabled in this kernel');
      assert.match(said, `${file}:8:`);
      assert.match(await run(0, 'doctor'), /SELinux +not enabled in this kernel/);
      return;
    }
    if (taken()) {
      console.log(
        '# SKIP this machine has a policy of its own: node scripts/guest.mjs host --filter selinux --lsm selinux',
      );
      return;
    }
    assert.is(spawnSync('checkpolicy', ['-V']).status, 0, 'the package checkpolicy has checkpolicy');
    execFileSync('mount', ['-t', 'selinuxfs', 'selinuxfs', FS]);
    load(box, ['box_t', 'other_t']);
    writeFileSync(join(FS, 'enforce'), '1');
    // The policy knows everything on a ramfs as secret.
    execFileSync('mount', ['-t', 'ramfs', 'ramfs', secret]);
    writeFileSync(join(secret, 'note'), 'not for box_t');

    box.write('stack.yaml', stack(label('unheard_of_t')));
    const refused = await run(1, 'apply', '-f', file, '-y');
    assert.match(refused, `container/web: the policy knows no label ${label('unheard_of_t')}`);
    assert.match(refused, `${file}:8:`);
    assert.is(refused.match(/the policy knows no label/g)?.length, 2, 'once for each container');

    // Written in another order than the kernel has it.
    box.write('stack.yaml', stack(label('box_t', 's0:c2,c1')));
    await run(0, 'apply', '-f', file, '-y');
    assert.match(await run(0, 'plan', '-f', file), 'No changes');
    const { web = 0, mapped = 0 } = await pidsOf(box, STACK);
    assert.is(labelOf(web), BOX);
    assert.is(labelOf(mapped), BOX);
    assert.is(labelOf('self'), label(SELINUX_BASE, 's0'));

    const denied = await inside(...read);
    assert.is(denied.stdout.replace(/\0$/, ''), BOX);
    assert.match(denied.stderr, '/run/secret/note: Permission denied');
    assert.is(readFileSync(join(secret, 'note'), 'utf8'), 'not for box_t', 'we may');
    await until('the probe under the label', async () =>
      /"health":\s*"healthy"/.test((await box.tsbox('ps', '--json', '--stack', STACK)).stdout),
    );
    const shell = Number(execFileSync('pgrep', ['-P', String(web)], { encoding: 'utf8' }).split('\n')[0]);
    assert.is(labelOf(shell), BOX, 'the child of its init');
    assert.match(await run(0, 'import', 'pid', String(shell), '--name', 'copy'), `selinux: ${BOX}\n`);

    // A policy that knows its type no more leaves a process without a label.
    load(box, ['other_t']);
    const gone = await box.tsbox('drift', '--stack', STACK, '--format', 'json');
    assert.is(gone.code, 2, gone.stdout + gone.stderr);
    const { items } = JSON.parse(gone.stdout) as { items: Array<Record<string, string>> };
    assert.equal(
      items.map((i) => [i['address'], i['attribute'], i['live']]),
      ['container/mapped', 'container/web'].map((address) => [address, 'selinux', label(SELINUX_BASE, 's0')]),
      gone.stdout,
    );
    load(box, ['box_t', 'other_t']);
    assert.match(await run(0, 'plan', '-f', file), 'No changes');

    const start = startTime(web);
    box.write('stack.yaml', stack(label('other_t')));
    assert.match(await run(0, 'apply', '-f', file, '-y'), `${BOX} -> ${label('other_t')}`);
    const { web: other = 0 } = await pidsOf(box, STACK);
    assert.ok(other !== web || startTime(other) !== start, 'it was restarted');
    assert.is(labelOf(other), label('other_t'));
    const allowed = await inside(...read);
    assert.is(allowed.stdout.replace('\0', ' '), `${label('other_t')} not for box_t`);
    await run(0, 'destroy', '-f', file, '-y');
  } finally {
    if (existsSync(join(FS, 'policy'))) {
      writeFileSync(join(FS, 'enforce'), '0');
      spawnSync('umount', ['-l', FS, secret]);
    }
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
});

test.run();
