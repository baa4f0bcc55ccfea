/** tsbox watch: drift is noticed when it happens, by whom, healed by policy, and left in peace by its end. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { get } from '../support/http.ts';
import { CLI, sandbox, type Sandbox } from '../support/sandbox.ts';
import { pause, until } from '../support/wait.ts';

interface Told {
  readonly event: string;
  readonly stack?: string;
  readonly address?: string;
  readonly attribute?: string;
  readonly severity?: string;
  readonly message: string;
  readonly times?: number;
  readonly whom?: { pid: number; comm: string | null; gone: boolean } | null;
}

interface Running {
  readonly told: Told[];
  readonly child: ChildProcess;
  find(event: string, from?: number): Told | undefined;
  end(): Promise<number>;
}

const test = suite('watch');
let box: Sandbox;
const started: ChildProcess[] = [];

test.before(async () => {
  box = await sandbox('watch');
  box.write(
    'a.yaml',
    `tsbox: 1
name: a
cgroups:
  limits: { pids: { max: 50 } }
containers:
  c: { rootfs: host, command: [/bin/sleep, infinity], pids: { max: 40 } }
`,
  );
  const applied = await box.tsbox('apply', '-f', 'a.yaml', '-y');
  assert.is(applied.code, 0, applied.stderr);
});
test.after(async () => {
  started.forEach((c) => c.kill('SIGKILL'));
  await box.tsbox('destroy', '--stack', 'a', '-y');
  await box.cleanup();
});

async function watch(...args: string[]): Promise<Running> {
  const child = spawn(process.execPath, [CLI, 'watch', '--json', ...args], {
    cwd: box.dir,
    env: box.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  const told: Told[] = [];
  let text = '';
  let errors = '';
  child.stdout?.on('data', (data: Buffer) => {
    text += data.toString();
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    told.push(...lines.map((l) => JSON.parse(l) as Told));
  });
  child.stderr?.on('data', (data: Buffer) => (errors += data.toString()));
  const ended = new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? -1)));
  await until(`the watcher (${errors})`, () => told.some((t) => t.event === 'watching') || child.exitCode !== null);
  assert.is(child.exitCode, null, errors);
  return {
    told,
    child,
    find: (event, from = 0) => told.slice(from).find((t) => t.event === event),
    end: async () => {
      child.kill('SIGTERM');
      return await ended;
    },
  };
}

const knob = (): string => join(box.cgroupDir('pids', 'a/limits'), 'pids.max');

test('a changed limit is noticed, by whom, in the report too; metrics, webhook; its end is told; SIGTERM leaves nothing', async () => {
  const posted: Array<{ event: string }> = [];
  const receiver = createServer((req, res) => {
    let body = '';
    req.on('data', (d: Buffer) => (body += d.toString()));
    req.on('end', () => {
      posted.push(JSON.parse(body) as { event: string });
      // The first try is refused: it comes again.
      res.writeHead(posted.length === 1 ? 503 : 204).end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', () => resolve()));
  const { port } = receiver.address() as AddressInfo;
  const socket = join(box.dir, 'http.sock');
  const w = await watch(
    '-f',
    'a.yaml',
    '--listen',
    `unix:${socket}`,
    '--webhook',
    `http://127.0.0.1:${port}/hook?token=s3cret`,
  );

  const latencies: number[] = [];
  for (const value of ['61', '62', '63']) {
    const from = w.told.length;
    const began = performance.now();
    // A living writer: the shell goes on after its echo.
    const shell = spawn('/bin/sh', ['-c', `echo ${value} > ${knob()}; exec sleep 20`]);
    started.push(shell);
    await until(`the drift to ${value}`, () => w.told.slice(from).some((t) => t.event === 'drift'));
    latencies.push(performance.now() - began);
    const drift = w.find('drift', from);
    assert.is(drift?.address, 'cgroup/limits');
    assert.is(drift?.attribute, 'pids.max');
    assert.is(drift?.whom?.pid, shell.pid);
    assert.is(drift?.whom?.gone, false);
    assert.match(drift?.whom?.comm ?? '', /^(sh|dash|bash|sleep)$/);
    shell.kill('SIGKILL');
  }
  console.log(`# noticed after ${latencies.map((l) => Math.round(l)).join(', ')} ms`);

  const report = await box.tsbox('drift', '-f', 'a.yaml', '--json');
  assert.is(report.code, 2);
  assert.match(report.stdout, /"whom":\s*\{/, 'the report names the writer, too');

  const metrics = await get(socket, '/metrics');
  assert.match(metrics.body, /^tsbox_stack_info\{stack="a",sync="drifted",health="healthy"\} 1$/m);
  assert.match(metrics.body, /^tsbox_drift_fields\{stack="a",severity="\w+"\} 1$/m);
  assert.match(metrics.body, /^tsbox_last_check_timestamp_seconds\{stack="a"\} \d+/m);
  assert.equal(await get(socket, '/healthz'), { status: 200, body: 'ok\n' });
  assert.is((await get(socket, '/etc/passwd')).status, 404);

  const from = w.told.length;
  writeFileSync(knob(), '50');
  await until('its end', () => w.find('drift_ended', from) !== undefined);

  await until('the webhook', () => posted.some((p) => p.event === 'drift_ended'));
  assert.is(posted[0]?.event, posted[1]?.event, 'what was refused was sent again');
  const container = spawnSync('cat', [join(box.cgroupDir('pids', 'a/c'), 'cgroup.procs')]).stdout.toString();
  assert.is(await w.end(), 0);
  assert.is(w.told.at(-1)?.event, 'ended');
  assert.not.ok(existsSync(socket), 'its socket is gone');
  assert.is(
    readFileSync(join(box.cgroupDir('pids', 'a/c'), 'cgroup.procs'), 'utf8'),
    container,
    'the container runs on',
  );
  assert.not.match(JSON.stringify(w.told), /s3cret/);
  await new Promise((resolve) => receiver.close(resolve));
});

test('a network device in a namespace of the stack is noticed long before the next full check', async () => {
  const w = await watch('-f', 'a.yaml', '--interval', '10m');
  const pid = readFileSync(join(box.cgroupDir('pids', 'a/c'), 'cgroup.procs'), 'utf8').split('\n')[0] ?? '';
  const ip = (...args: string[]): void => {
    const run = spawnSync('nsenter', ['-t', pid, '-n', 'ip', 'link', ...args], { encoding: 'utf8' });
    assert.is(run.status, 0, run.stderr);
  };
  const told = (event: string): Told | undefined => w.told.find((t) => t.event === event && t.attribute === 'netdev');
  ip('add', 'foreign0', 'type', 'bridge');
  await until('the device', () => told('drift') !== undefined);
  assert.is(told('drift')?.address, 'container/c');
  assert.match(told('drift')?.message ?? '', 'foreign0');
  ip('delete', 'foreign0');
  await until('its end', () => told('drift_ended') !== undefined);
  assert.is(await w.end(), 0);
});

test('the policy heals, an ended writer is honestly gone, and a fight is left ever more rarely', async () => {
  const w = await watch('-f', 'a.yaml', '--heal=security,capacity,cosmetic');
  const quick = spawnSync('/bin/sh', ['-c', `echo 33 > ${knob()}`]);
  await until('the healing', () => w.find('healed') !== undefined);
  const drift = w.find('drift');
  assert.is(drift?.whom?.pid, quick.pid);
  if (drift?.whom?.gone === true) {
    assert.is(drift.whom.comm, null, 'no name is made up');
  }
  assert.is(readFileSync(knob(), 'utf8').trim(), '50');
  await until('its end', () => w.find('drift_ended') !== undefined);

  const from = w.told.length;
  const fighter = setInterval(() => writeFileSync(knob(), '34'), 50);
  try {
    await until('backing off', () => w.find('backing_off', from) !== undefined);
  } finally {
    clearInterval(fighter);
  }
  await pause(300);
  const heals = w.told.slice(from).filter((t) => t.event === 'healed').length;
  assert.ok(heals <= 3, `healed ${heals} times while something fought for a few seconds`);
  assert.match(w.find('backing_off', from)?.message ?? '', /something fights back/);

  // A container that is killed comes again by its supervisor's policy or is told as stopped; here it is told.
  const before = w.told.length;
  const [pid] = readFileSync(join(box.cgroupDir('pids', 'a/c'), 'cgroup.procs'), 'utf8').split('\n');
  process.kill(Number(pid), 'SIGKILL');
  await until('the stopped container', () => w.told.slice(before).some((t) => t.address === 'container/c'));
  await until('it runs again', () =>
    w.told.slice(before).some((t) => t.event === 'healed' && t.message.includes('container/c')),
  );
  assert.is(await w.end(), 0);
});

test('--all takes stacks as they come and go; a wrong file changes nothing on SIGHUP; what was seen is remembered', async () => {
  const file = box.write('b.yaml', 'tsbox: 1\nname: b\ncgroups:\n  x: { pids: { max: 9 } }\n');
  const w = await watch('--all', '-f', 'b.yaml');
  writeFileSync(knob(), '35');
  await until('drift by the record', () => w.told.some((t) => t.event === 'drift' && t.stack === 'a'));
  writeFileSync(file, 'tsbox: 1\nname: b\nnonsense: 1\n');
  w.child.kill('SIGHUP');
  await until('the refusal', () => w.find('reload_failed') !== undefined);
  assert.match(w.find('reload_failed')?.message ?? '', /stay as they were read before: .*b\.yaml:3/);
  box.write('c.yaml', 'tsbox: 1\nname: late\ncgroups:\n  x: { pids: { max: 9 } }\n');
  assert.is((await box.tsbox('apply', '-f', 'c.yaml', '-y')).code, 0);
  writeFileSync(join(box.cgroupDir('pids', 'late/x'), 'pids.max'), '10');
  await until('drift of the new one', () => w.told.some((t) => t.event === 'drift' && t.stack === 'late'));
  assert.is((await box.tsbox('destroy', '--stack', 'late', '-y')).code, 0);
  await until('its end', () => w.told.some((t) => t.event === 'gone' && t.stack === 'late'));
  assert.is(await w.end(), 0);
  writeFileSync(knob(), '50');
  const history = readFileSync(join(box.dir, 'var/history/a/drift.jsonl'), 'utf8');
  assert.match(history, /"attribute":"pids\.max"/);
});

test('wrong addresses and severities are refused', async () => {
  const anywhere = await box.tsbox('watch', '-f', 'a.yaml', '--listen', '0.0.0.0:9180');
  assert.is(anywhere.code, 1);
  assert.match(anywhere.stderr, /can be reached by others/);
  const severity = await box.tsbox('watch', '-f', 'a.yaml', '--heal=everything');
  assert.match(severity.stderr, /--heal takes security, capacity, cosmetic/);
});

test.run();
