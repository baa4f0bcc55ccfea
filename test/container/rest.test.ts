/** `restart: unless-stopped`: what a person stops stays stopped, whatever else is applied, until a person starts it. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { exists, sandbox } from '../support/sandbox.ts';
import type { Sandbox } from '../support/sandbox.ts';

const stack = (extra: { limit?: string; env?: string; restart?: string; files?: number } = {}): string => `tsbox: 1
name: rest
containers:
  web:
    command: [sleep, infinity]
    env: { A: "${extra.env ?? '1'}" }
    restart: ${extra.restart ?? 'unless-stopped'}
    memory: { max: ${extra.limit ?? '64MiB'} }
    rlimits: { nofile: ${extra.files ?? 100} }
  other: { command: [sleep, infinity], restart: always }
`;

async function pidOf(box: Sandbox, name: string): Promise<number | null> {
  const { stdout } = await box.tsbox('ps', '--json', '--stack', 'rest');
  return (JSON.parse(stdout) as { name: string; pid: number | null }[]).find((r) => r.name === name)?.pid ?? null;
}

async function ok(box: Sandbox, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await box.tsbox(...args);
  assert.is(code, 0, `${args.join(' ')}: ${stdout}${stderr}`);
  return stdout + stderr;
}

test('stopped by hand: a plan has nothing to do and says so, changes leave it stopped, a start starts it', async () => {
  const before = await snapshot();
  const box = await sandbox('rest');
  try {
    box.write('tsbox.yaml', stack());
    await ok(box, 'apply', '--auto-approve');
    await ok(box, 'stop', 'web', 'other');
    const plan = await box.tsbox('plan', '--detailed-exitcode');
    assert.is(plan.code, 2, 'restart: always is started again');
    assert.match(plan.stdout, /! container\/other/);
    assert.not.match(plan.stdout, /! container\/web/);
    assert.match(
      plan.stdout + plan.stderr,
      /container\/web was stopped by hand at 20\S+Z and stays stopped .*tsbox start container\/rest:web/,
    );
    await ok(box, 'apply', '--auto-approve');
    assert.type(await pidOf(box, 'other'), 'number');
    assert.is(await pidOf(box, 'web'), null);
    await ok(box, 'drift');

    // In place, and by a replacement: it has what is declared, and rests.
    box.write('tsbox.yaml', stack({ limit: '32MiB', files: 200 }));
    assert.match(await ok(box, 'apply', '--auto-approve'), /web +in place/);
    box.write('tsbox.yaml', stack({ limit: '32MiB', files: 200, env: '2' }));
    assert.match(await ok(box, 'apply', '--auto-approve'), /web +replaced/);
    await ok(box, 'plan', '--detailed-exitcode');
    assert.is(await pidOf(box, 'web'), null);

    await ok(box, 'start', 'web');
    const pid = await pidOf(box, 'web');
    assert.match(readFileSync(`/proc/${pid}/environ`, 'utf8'), 'A=2');
    assert.match(readFileSync(`/proc/${pid}/limits`, 'utf8'), /Max open files +200 /);

    // kill is an order of a person, too; --replace starts it.
    await ok(box, 'kill', 'web');
    await ok(box, 'plan', '--detailed-exitcode');
    await ok(box, 'apply', '--replace', 'container/web', '--auto-approve');
    assert.ok(exists(`/proc/${await pidOf(box, 'web')}`));

    // Another policy takes the rest away.
    await ok(box, 'stop', 'web');
    box.write('tsbox.yaml', stack({ limit: '32MiB', files: 200, env: '2', restart: 'always' }));
    assert.match(await ok(box, 'plan'), /state +stopped -> running/);
    await ok(box, 'apply', '--auto-approve');
    assert.type(await pidOf(box, 'web'), 'number');
    await ok(box, 'destroy', '--auto-approve');
    assertNoLeaks(before, await snapshot());
  } finally {
    await box.cleanup();
  }
});

test.run();
