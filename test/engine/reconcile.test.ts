/** tsbox reconcile: a repository is pulled and applied; what is bad is rolled back, unsigned, pruned or waits. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Reconciler } from '../../src/cli/reconcile/reconciler.ts';
import { openKernel } from '../../src/kernel/kernel.ts';
import { loadStack } from '../../src/stack/index.ts';
import type { Stack } from '../../src/stack/types.ts';
import { get } from '../support/http.ts';
import { CLI, sandbox, type Run, type Sandbox } from '../support/sandbox.ts';
import { until } from '../support/wait.ts';

const test = suite('reconcile');
let box: Sandbox;
let repository: string;

const git = (...args: string[]): string =>
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', '-c', 'commit.gpgSign=false', ...args], {
    cwd: repository,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim();

test.before(async () => {
  box = await sandbox('reconcile');
  repository = join(box.dir, 'repository');
  mkdirSync(join(repository, 'stacks'), { recursive: true });
  git('init', '-q', '-b', 'main');
  // A hook of the repository is none of ours.
  writeFileSync(join(repository, '.git/hooks/post-checkout'), `#!/bin/sh\ntouch ${box.dir}/hooked\n`, { mode: 0o755 });
});
test.after(async () => {
  for (const stack of ['one', 'two', 'hand']) {
    await box.tsbox('destroy', '--stack', stack, '-y');
  }
  await box.cleanup();
});

const one = (pids: number, command = '/bin/sleep, infinity'): string => `tsbox: 1
name: one
cgroups:
  limits: { pids: { max: ${pids} } }
containers:
  c: { rootfs: host, command: [${command}] }
`;

function commit(message: string, files: Readonly<Record<string, string | null>>, ...more: string[]): string {
  for (const [name, text] of Object.entries(files)) {
    const path = join(repository, 'stacks', name);
    if (text === null) {
      rmSync(path);
    } else {
      writeFileSync(path, text);
    }
  }
  git('add', '-A');
  git(...more, 'commit', '-q', '--allow-empty', ...(more.length > 0 ? ['-S'] : []), '-m', message);
  return git('rev-parse', 'HEAD');
}

interface Told {
  readonly run: Run;
  readonly events: readonly string[];
  readonly status: {
    seen: string;
    good: { commit: string } | null;
    attempt: { commit: string; result: string; reason: string | null };
    rolledBack: { from: string; to: string } | null;
    pending: { plan: string[] } | null;
    health: string;
    error: string | null;
  };
}

async function reconcile(...args: string[]): Promise<Told> {
  const status = join(box.dir, 'status.json');
  const run = await box.tsbox(
    ...['reconcile', '--git', repository, '--dir', 'stacks', '--once', '--json', '--status', status],
    ...['--health-timeout', '8s', ...args],
  );
  const events = run.stdout
    .split('\n')
    .filter((l) => l !== '')
    .map((l) => (JSON.parse(l) as { event: string }).event);
  return { run, events, status: JSON.parse(readFileSync(status, 'utf8')) as Told['status'] };
}

const limit = (): string => readFileSync(join(box.cgroupDir('pids', 'one/limits'), 'pids.max'), 'utf8').trim();
const has = (stack: string): boolean => existsSync(box.cgroupDir('unified', stack));

test('a commit is pulled and applied, once; a bad one is rolled back; a broken one changes nothing', async () => {
  const first = commit('first', {
    'one.yaml': one(50),
    'two.yaml': 'tsbox: 1\nname: two\ncgroups:\n  x: { pids: { max: 9 } }\n',
    'notes.yaml': 'just: a file\n',
  });
  const applied = await reconcile('--prune', '--rollback');
  assert.is(applied.run.code, 0, applied.run.stderr + applied.run.stdout);
  assert.is(applied.status.good?.commit, first);
  assert.is(applied.status.health, 'healthy');
  assert.is(limit(), '50');
  assert.ok(has('two'));
  assert.not.ok(existsSync(join(box.dir, 'hooked')), 'no hook ran');

  const bad = commit('bad', { 'one.yaml': one(60, '/bin/false') });
  const back = await reconcile('--prune', '--rollback');
  assert.is(back.run.code, 1);
  assert.is(back.status.attempt.result, 'rolled_back', JSON.stringify(back.status));
  assert.equal([back.status.rolledBack?.from, back.status.rolledBack?.to], [bad, first]);
  assert.is(back.status.good?.commit, first);
  assert.is(limit(), '50', 'the limits of the last good revision are back');

  const again = await reconcile('--prune', '--rollback');
  assert.equal(again.events, ['unchanged'], 'one attempt for each revision');
  assert.match(again.status.error ?? '', new RegExp(bad));

  commit('broken', { 'one.yaml': 'tsbox: 1\nname: one\ncgroupz: {}\n' });
  const broken = await reconcile('--prune', '--rollback');
  assert.is(broken.status.attempt.result, 'invalid');
  const still = await reconcile();
  assert.is(still.run.code, 1);
  assert.equal(still.events, ['unchanged'], 'not tried again, and not an exit code alone');
  assert.match(broken.status.attempt.reason ?? '', /one\.yaml:3:1/);
  assert.is(limit(), '50');
});

test('what vanished is pruned, what others made is not, and an empty revision removes nothing', async () => {
  box.write('hand.yaml', 'tsbox: 1\nname: hand\ncgroups:\n  x: { pids: { max: 9 } }\n');
  assert.is((await box.tsbox('apply', '-f', 'hand.yaml', '-y')).code, 0);
  const good = commit('without two', { 'one.yaml': one(51), 'two.yaml': null });
  const pruned = await reconcile('--prune');
  assert.is(pruned.status.attempt.result, 'applied', JSON.stringify(pruned.status));
  assert.ok(pruned.events.includes('pruned'));
  assert.equal([has('one'), has('two'), has('hand')], [true, false, true]);

  commit('nothing', { 'one.yaml': null });
  const empty = await reconcile('--prune');
  assert.match(empty.status.attempt.reason ?? '', /nothing is removed without --allow-empty/);
  assert.is(empty.status.good?.commit, good);
  assert.ok(has('one'));
});

test('policies, windows and signatures hold a revision back until it fits', async () => {
  const hard = commit('restarts', { 'one.yaml': one(52, '/bin/sleep, "1000000"') });
  const closed = await reconcile('--window', 'deny * * * * * 1h');
  assert.is(closed.status.attempt.result, 'waiting');
  assert.is(limit(), '51');
  const source = ['reconcile', '--git', repository, '--dir', 'stacks'];
  assert.is((await box.tsbox(...source, '--suspend', '--resume')).code, 1);
  assert.is((await box.tsbox(...source, '--suspend')).code, 0);
  const still = await reconcile();
  assert.is(still.status.attempt.result, 'waiting');
  assert.match(still.status.attempt.reason ?? '', /^suspended since \d{4}-/);
  assert.is(limit(), '51');
  assert.is((await box.tsbox(...source, '--resume')).code, 0);
  const held = await reconcile('--policy', 'in-place');
  assert.is(held.run.code, 5);
  assert.match(held.status.attempt.reason ?? '', /not in place: container\/c/);
  const approve = [...source, '--approve'];
  assert.match((await box.tsbox(...approve, '0000000')).stderr, /no plan of 0000000 waits/);
  assert.is((await box.tsbox(...approve, hard.slice(0, 10))).code, 0);
  const let_ = await reconcile('--policy', 'in-place');
  assert.is(let_.status.attempt.result, 'applied', JSON.stringify(let_.status));
  assert.is(limit(), '52');

  const key = join(box.dir, 'key');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  const signers = box.write('signers', `t@example.org ${readFileSync(`${key}.pub`, 'utf8')}`);
  const signing = ['-c', 'gpg.format=ssh', '-c', `user.signingKey=${key}`];
  const verify = ['--verify-signatures', '--signers', signers];
  const signed = commit('signed', { 'one.yaml': one(53, '/bin/sleep, "1000000"') }, ...signing);
  const good = await reconcile(...verify);
  assert.is(good.status.good?.commit, signed, JSON.stringify(good.status));
  assert.is(limit(), '53');
  const unsigned = commit('unsigned', { 'one.yaml': one(54, '/bin/sleep, "1000000"') });
  const stays = await reconcile(...verify);
  assert.ok(stays.events.includes('unverified'));
  assert.is(stays.status.seen, unsigned);
  assert.match(stays.status.error ?? '', new RegExp(`${signed} stays`));
  assert.is(limit(), '53');
});

test('what a policy or a precondition of the stack refuses is not applied, and told', async () => {
  const refused = `${one(56, '/bin/sleep, "1000000"')}policies:
  small: { for: cgroup/*, assert: 'false', message: too much }
`;
  const denied = commit('denied', { 'one.yaml': refused });
  const told = await reconcile();
  assert.equal([told.status.attempt.commit, told.status.attempt.result], [denied, 'invalid']);
  assert.match(
    told.status.attempt.reason ?? '',
    /one\.yaml:\d+:\d+: one: policy small refuses cgroup\/limits: too much$/,
  );
  assert.is(limit(), '53');
  const partly = `${one(56, '/bin/sleep, "1000000"')}  d:
    rootfs: host
    command: [/bin/sleep, infinity]
    preconditions: [{ assert: 'false', message: not here }]
`;
  commit('blocked', { 'one.yaml': partly });
  const blocked = await reconcile();
  assert.is(blocked.status.attempt.result, 'failed', JSON.stringify(blocked.status));
  assert.match(blocked.status.attempt.reason ?? '', /^one: .*not here/);
  assert.is(limit(), '56', 'what does not depend on it is done');
});

test('it runs on, tells a webhook, and serves its metrics until it is ended', async () => {
  const posted: string[] = [];
  const receiver = createServer((req, res) => {
    let body = '';
    req.on('data', (d: Buffer) => (body += d.toString()));
    req.on('end', () => {
      posted.push((JSON.parse(body) as { event: string }).event);
      res.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', () => resolve()));
  const { port } = receiver.address() as AddressInfo;
  const head = commit('served', { 'one.yaml': one(53, '/bin/sleep, "1000000"') });
  const socket = join(box.dir, 'reconcile.sock');
  const child = spawn(
    process.execPath,
    [
      ...[CLI, 'reconcile', '--git', repository, '--dir', 'stacks', '--interval', '1s', '--health-timeout', '8s'],
      ...['--json', '--listen', `unix:${socket}`, '--webhook', `http://127.0.0.1:${port}/hook`],
    ],
    { cwd: box.dir, env: box.env, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  try {
    child.stdout.resume();
    await until('the revision', () => posted.includes('applied'));
    let text = '';
    await until('a round', async () => {
      text = (await get(socket, '/metrics')).body;
      return /^tsbox_reconcile_rounds_total\{.*result="ok"\} [1-9]/m.test(text);
    });
    assert.match(
      text,
      new RegExp(`^tsbox_reconcile_info\\{.*revision="${head}",result="applied",health="healthy"\\} 1$`, 'm'),
    );
    assert.match(text, /^tsbox_stack_info\{stack="one",sync="synced",health="healthy"\} 1$/m);
    assert.match(text, /^tsbox_reconcile_in_sync\{.*\} 1$/m);
    assert.match(text, /^tsbox_apply_total\{result="applied"\} [1-9]/m);
    assert.equal(await get(socket, '/healthz'), { status: 200, body: 'ok\n' });
    const ended = new Promise((resolve) => child.on('close', resolve));
    child.kill('SIGTERM');
    assert.is(await ended, 0);
    assert.not.ok(existsSync(socket), 'its socket is gone');
  } finally {
    child.kill('SIGKILL');
    await new Promise((resolve) => receiver.close(resolve));
  }
});

test('what moves between the judgement and the lock is judged again', async () => {
  const held = commit('in place', { 'one.yaml': one(60, '/bin/sleep, "1000000"') });
  const kernel = openKernel(box.env);
  const lockDir = kernel.lockDir.bind(kernel);
  let moved = false;
  kernel.lockDir = (directory) => {
    if (!moved && directory === box.cgroupDir('unified', 'one')) {
      moved = true;
      execFileSync(process.execPath, [CLI, 'stop', 'container/c', '--stack', 'one'], { env: box.env });
    }
    return lockDir(directory);
  };
  const directory = join(kernel.settings.stateDir, 'git', 'a'.repeat(16));
  const told: string[] = [];
  const options = { source: repository, id: 'a'.repeat(16), directory, branch: undefined, subdirectory: 'stacks' };
  const judging = {
    policy: 'in-place',
    verify: false,
    signers: undefined,
    windows: [],
    statusFile: undefined,
  } as const;
  const rest = { prune: false, allowEmpty: false, rollback: false, healthTimeoutMs: 1000 };
  const load = (file: string): Promise<Stack> => Promise.resolve(loadStack([file], { variables: {}, env: {} }));
  kernel.removeXattr(box.cgroupDir('unified', 'one'), 'trusted.tsbox.source');
  const reconciler = new Reconciler(
    kernel,
    { ...options, ...judging, ...rest, load },
    (h) => told.push(h.event),
    () => false,
  );
  await reconciler.round();
  assert.ok(moved);
  const { attempt } = reconciler.status;
  assert.equal([attempt?.commit, attempt?.result], [held, 'pending'], JSON.stringify(reconciler.status));
  assert.match(attempt?.reason ?? '', /^one: not in place: container\/c \(restart\)/);
  assert.is(limit(), '53', 'nothing of it was done');
});

test('a way back that is held up is gone in the next round', async () => {
  const kernel = openKernel(box.env);
  kernel.removeXattr(box.cgroupDir('unified', 'one'), 'trusted.tsbox.source');
  let ended = false;
  const directory = join(kernel.settings.stateDir, 'git', 'b'.repeat(16));
  const options = { source: repository, id: 'b'.repeat(16), directory, branch: undefined, subdirectory: 'stacks' };
  const judging = { policy: 'auto', verify: false, signers: undefined, windows: [], statusFile: undefined } as const;
  const rest = { prune: false, allowEmpty: false, rollback: true, healthTimeoutMs: 8000 };
  const load = (file: string): Promise<Stack> => Promise.resolve(loadStack([file], { variables: {}, env: {} }));
  const reconciler = new Reconciler(
    kernel,
    { ...options, ...judging, ...rest, load },
    // We are told to end right before the way back.
    ({ event }) => (ended ||= event === 'failed'),
    () => ended,
  );
  const good = commit('good', { 'one.yaml': one(61) });
  await reconciler.round();
  assert.is(reconciler.status.good?.commit, good, JSON.stringify(reconciler.status));
  const bad = commit('bad', { 'one.yaml': one(62, '/bin/false') });
  await reconciler.round();
  assert.equal([reconciler.status.attempt?.result, reconciler.status.rollbackWaits], ['failed', true]);
  assert.is(limit(), '62');
  ended = false;
  await reconciler.round();
  const { attempt, rolledBack, rollbackWaits } = reconciler.status;
  assert.equal([attempt?.commit, attempt?.result, rollbackWaits], [bad, 'rolled_back', false]);
  assert.is(rolledBack?.to, good);
  assert.is(limit(), '61');
});

test.run();
