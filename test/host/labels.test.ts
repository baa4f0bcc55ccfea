/** Labels of AppArmor: given at the exec, read back, enforced, drift. Where the kernel has none: that it is said. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { pidsOf } from '../support/namespaces.ts';
import { sandbox, startTime } from '../support/sandbox.ts';
import { until } from '../support/wait.ts';

const STACK = 'labels';
const PROFILE = `tsbox-test-${process.pid}`;
const OTHER = `${PROFILE}-other`;
const stack = (apparmor: string): string => `
tsbox: 1
name: ${STACK}
containers:
  web:
    init: true
    command: [sh, -c, 'while :; do sleep 0.1; done']
    apparmor: ${apparmor}
    healthcheck: { command: [grep, -q, '${PROFILE} (enforce)', /proc/self/attr/current], interval: 200ms, retries: 100000 }
    stop_grace_period: 0s
  mapped:
    command: [sleep, "1000"]
    apparmor: ${apparmor}
    namespaces: { user: { uids: [{ inside: 0, outside: 100000, count: 65536 }] } }
    stop_grace_period: 0s
`;

const RULES = 'file, capability, network, signal, ptrace, unix, mount, umount, pivot_root,';
const profiles = `
profile ${PROFILE} flags=(attach_disconnected) { ${RULES} deny /etc/group r, }
profile ${OTHER} flags=(attach_disconnected) { ${RULES} }
`;
const parser = (action: '-r' | '-R', text: string): string =>
  execFileSync('apparmor_parser', ['-K', action], {
    input: text,
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'inherit'],
  });
const labelOf = (pid: number): string => readFileSync(`/proc/${pid}/attr/apparmor/current`, 'utf8').trim();

const enabled = existsSync('/sys/module/apparmor/parameters/enabled');

test('AppArmor: a profile is what the program, an exec and a probe run under; its loss and its change are drift', async () => {
  const before = await snapshot();
  const box = await sandbox(STACK);
  const file = box.write('stack.yaml', stack(PROFILE));
  const run = async (code: number, ...args: string[]): Promise<string> => {
    const result = await box.tsbox(...args);
    assert.is(result.code, code, `${args.join(' ')}: ${result.stdout}${result.stderr}`);
    return result.stdout + result.stderr;
  };
  try {
    if (!enabled) {
      const said = await run(1, 'apply', '-f', file, '-y');
      assert.match(said, 'container/web: AppArmor is not enabled in this kernel');
      assert.match(said, `${file}:8:`);
      assert.match(await run(0, 'doctor'), /AppArmor +not enabled in this kernel/);
      return;
    }
    assert.is(spawnSync('apparmor_parser', ['--version']).status, 0, 'the package apparmor has apparmor_parser');
    const refused = await run(1, 'apply', '-f', file, '-y');
    assert.match(refused, `warning: container/web: no profile ${PROFILE} of AppArmor is loaded`);
    assert.match(refused, `label exec ${PROFILE}: ENOENT`);
    assert.match(refused, 'apparmor_parser -r FILE loads one');
    parser('-r', profiles);
    await run(0, 'apply', '-f', file, '-y');
    assert.match(await run(0, 'plan', '-f', file), 'No changes');
    const first = await pidsOf(box, STACK);
    const { web = 0, mapped = 0 } = first;
    assert.is(labelOf(web), `${PROFILE} (enforce)`);
    assert.is(labelOf(mapped), `${PROFILE} (enforce)`);
    assert.is(labelOf(process.pid), 'unconfined');

    const inside = await box.tsbox('exec', `${STACK}:web`, '--', 'sh', '-c', 'cat /proc/self/attr/current /etc/group');
    assert.is(inside.stdout.trim(), `${PROFILE} (enforce)`);
    assert.match(inside.stderr, '/etc/group: Permission denied');
    assert.match(readFileSync('/etc/group', 'utf8'), 'root');
    await until('the probe under the profile', async () =>
      /"health":\s*"healthy"/.test((await box.tsbox('ps', '--json', '--stack', STACK)).stdout),
    );

    // Its shell, the child of its init.
    const shell = Number(execFileSync('pgrep', ['-P', String(web)], { encoding: 'utf8' }).split('\n')[0]);
    assert.is(labelOf(shell), `${PROFILE} (enforce)`);
    assert.match(await run(0, 'import', 'pid', String(shell), '--name', 'copy'), `apparmor: ${PROFILE}\n`);

    // Without its profile in the kernel a process is confined by nothing.
    parser('-R', profiles);
    assert.is(labelOf(web), 'unconfined');
    const drift = await box.tsbox('drift', '-f', file, '--format', 'json');
    assert.is(drift.code, 2, drift.stderr);
    const { items } = JSON.parse(drift.stdout) as { items: Array<Record<string, string>> };
    assert.equal(
      items.map((i) => [i['address'], i['attribute'], i['live']]),
      ['container/mapped', 'container/web'].map((address) => [address, 'apparmor', 'unconfined']),
      drift.stdout,
    );
    parser('-r', profiles);
    const start = startTime(web);
    assert.match(await run(0, 'apply', '-f', file, '-y'), new RegExp(`apparmor +unconfined -> ${PROFILE}`));
    const { web: healed = 0 } = await pidsOf(box, STACK);
    assert.ok(healed !== web || startTime(healed) !== start, 'it was restarted');
    assert.is(labelOf(healed), `${PROFILE} (enforce)`);

    box.write('stack.yaml', stack(OTHER));
    assert.match(await run(0, 'apply', '-f', file, '-y'), `${PROFILE} -> ${OTHER}`);
    assert.is(labelOf((await pidsOf(box, STACK))['web'] ?? 0), `${OTHER} (enforce)`);
    assert.is((await box.tsbox('exec', `${STACK}:web`, '--', 'cat', '/etc/group')).code, 0);
    await run(0, 'destroy', '-f', file, '-y');
  } finally {
    await box.cleanup();
    if (enabled) {
      spawnSync('apparmor_parser', ['-K', '-R'], { input: profiles });
    }
  }
  assertNoLeaks(before, await snapshot());
});

test.run();
