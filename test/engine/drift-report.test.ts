/** Every class of drift made by hand at once, on the real kernel: what the report says of each, and healing in parts. */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { appendRunLine, MAX_BYTES, MAX_RUNS, readRunLines } from '../../src/kernel/drift-history.ts';
import { loadNative } from '../../src/kernel/native.ts';
import { driftJsonSchema } from '../../src/report/drift/json.ts';
import { WRITERS_FILE, writerLine } from '../../src/report/drift/writers.ts';
import { compileRules } from '../../src/resources/devices/compile.ts';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { hierarchies, sandbox, type Sandbox } from '../support/sandbox.ts';

const STACK = 'drifted';

const yaml = (weight: number): string => `
tsbox: 1
name: ${STACK}
variables:
  domain: { default: secret-domain.example, sensitive: true }
drift:
  ignore:
    - { address: container/app, attribute: domainname, reason: set by the test, until: 2999-12-31 }
    - { address: "*", attribute: devices, reason: over, until: 2020-01-01 }
cgroups:
  box:
    pids: { max: 100 }
    cpu: { weight: ${weight} }
containers:
  app:
    command: [sleep, infinity]
    cgroup: box
    pids: { max: 50 }
    namespaces: { uts: { hostname: app, domainname: "${'${domain}'}" }, net: new }
  victim:
    command: [sleep, infinity]
    restart: { policy: "no" }
  orphan:
    command: [sleep, infinity]
  lost:
    command: [sleep, infinity]
`;

type Report = ReturnType<typeof driftJsonSchema.parse>;
type Item = Report['items'][number];

let box: Sandbox;
let file: string;

async function drift(...args: string[]): Promise<{ code: number; report: Report; stderr: string }> {
  const { code, stdout, stderr } = await box.tsbox('drift', ...args, '--format', 'json');
  assert.match(stdout, /^\{/, stderr);
  return { code, report: driftJsonSchema.parse(JSON.parse(stdout)), stderr };
}

const key = (i: Pick<Item, 'address' | 'attribute' | 'class'>): string => `${i.address} ${i.attribute || i.class}`;

function supervisorOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

/** The container is killed, its supervisor first, and its cgroup goes with it. */
async function removeByHand(pid: number, path: string): Promise<void> {
  process.kill(supervisorOf(pid), 'SIGKILL');
  process.kill(pid, 'SIGKILL');
  for (const { mount } of hierarchies()) {
    const dir = `${mount}${box.cgroupRoot}/${path}`;
    for (let tries = 0; existsSync(dir); tries++) {
      try {
        rmdirSync(dir);
      } catch (error) {
        if (tries > 100) {
          throw error;
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }
}

/** What the report must say of each: severity, direction, and what heals it. */
const EXPECTED: Readonly<Record<string, readonly [Item['class'], Item['severity'], Item['direction'], Item['heal']]>> =
  {
    'cgroup/box pids.max': ['changed', 'security', 'loosened', 'update'],
    'container/app pids.max': ['changed', 'capacity', 'tightened', 'update'],
    'container/app devices': ['changed', 'security', 'loosened', 'update'],
    'container/app process': ['unmanaged', 'security', 'added', 'update'],
    'container/app mount': ['unmanaged', 'security', 'added', 'update'],
    'container/app hostname': ['changed', 'cosmetic', 'changed', 'update'],
    'container/app netdev': ['unmanaged', 'security', 'added', 'by-hand'],
    'cgroup/box cgroup': ['unmanaged', 'security', 'added', 'by-hand'],
    'container/victim state': ['stopped', 'capacity', 'gone', 'restart'],
    'container/lost missing': ['missing', 'capacity', 'gone', 'create'],
    'container/orphan supervisor': ['supervision', 'capacity', 'gone', 'update'],
  };

test('all at once', async () => {
  const before = await snapshot();
  box = await sandbox('drift-report');
  let stranger: ChildProcess | undefined;
  const intruder = join(box.cgroupDir('pids', `${STACK}/box`), 'intruder');
  try {
    file = box.write('stack.yaml', yaml(200));
    const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(applied.code, 0, applied.stderr + applied.stdout);
    assert.is((await drift('-f', file, '--record')).code, 0, 'nothing yet');
    const rows = JSON.parse((await box.tsbox('ps', '--json', '--stack', STACK)).stdout) as Array<{
      name: string;
      pid: number;
    }>;
    const pid = (name: string): number => rows.find((r) => r.name === name)?.pid ?? 0;
    const [app, victim, orphan, lost] = [pid('app'), pid('victim'), pid('orphan'), pid('lost')];
    const limit = join(box.cgroupDir('pids', `${STACK}/box`), 'pids.max');
    const own = join(box.cgroupDir('pids', `${STACK}/box/app`), 'pids.max');

    const edited = Date.now();
    stranger = spawn('sleep', ['60']);
    writeFileSync(limit, 'max');
    writeFileSync(own, '20');
    const all = [{ allow: true, type: 'a', major: '*', minor: '*', access: 'rwm' }] as const;
    loadNative().deviceProgramReplace(box.cgroupDir('unified', `${STACK}/box/app`), compileRules(all), 'by_hand');
    writeFileSync(join(box.cgroupDir('pids', `${STACK}/box/app`), 'cgroup.procs'), String(stranger.pid));
    mkdirSync(intruder);
    execFileSync('nsenter', ['-t', String(app), '-m', 'mount', '-t', 'tmpfs', 'by-hand', '/mnt']);
    execFileSync('nsenter', ['-t', String(app), '-u', 'hostname', 'changed']);
    execFileSync('nsenter', ['-t', String(app), '-u', 'domainname', 'changed.example']);
    execFileSync('nsenter', [
      '-t',
      String(app),
      '-n',
      'ip',
      'link',
      'add',
      'byhand0',
      'type',
      'veth',
      'peer',
      'name',
      'byhand1',
    ]);
    process.kill(victim, 'SIGKILL');
    process.kill(supervisorOf(orphan), 'SIGKILL');
    await removeByHand(lost, `${STACK}/lost`);
    mkdirSync(join(box.runDir, 'watch'), { recursive: true });
    writeFileSync(
      join(box.runDir, WRITERS_FILE),
      `garbage\n${writerLine({ time: new Date(edited + 5).toISOString(), path: limit, pid: 4711, comm: null, exe: null, cgroup: null, gone: true })}`,
    );
    await new Promise((resolve) => setTimeout(resolve, 500));
    // A change of the file is no drift, and no healing makes it.
    box.write('stack.yaml', yaml(300));

    const { code, report, stderr } = await drift('-f', file, '--record');
    assert.is(code, 2);
    const byKey = new Map(report.items.map((i) => [key(i), i]));
    // Both ends of the pair.
    assert.is(report.items.filter((i) => i.attribute === 'netdev').length, 2);
    assert.equal([...byKey.keys()].sort(), Object.keys(EXPECTED).sort());
    for (const [name, [cls, severity, direction, heal]] of Object.entries(EXPECTED)) {
      const item = byKey.get(name) as Item;
      assert.equal([item.class, item.severity, item.direction, item.heal], [cls, severity, direction, heal], name);
      assert.ok(item.since !== null, `${name}: when is bounded at least`);
    }
    assert.equal(report.ignored.map(key), ['container/app domainname']);
    assert.match(stderr, 'not ignored any more: the rule (over) ended with 2020-01-01');

    const loosened = byKey.get('cgroup/box pids.max') as Item;
    assert.match(loosened.since?.source ?? '', `mtime of ${limit}`);
    assert.ok(Math.abs(Date.parse(loosened.since?.from ?? '') - edited) < 10_000, 'since the write');
    assert.is(loosened.whom?.pid, 4711);
    assert.is(loosened.whom?.gone, true);
    assert.is(byKey.get('container/app pids.max')?.whom, null, 'nobody heard of that one');
    const dead = byKey.get('container/victim state')?.since;
    assert.is(dead?.exact, true);
    assert.ok(Math.abs(Date.parse(dead?.from ?? '') - edited) < 10_000);
    assert.match(byKey.get('container/app process')?.since?.source ?? '', `the start of process ${stranger.pid}`);
    assert.is(loosened.at?.line, 12, 'declared there');

    // Without the file: the same but for what only the file knows.
    const recorded = await drift('--stack', STACK);
    assert.is(recorded.code, 2);
    assert.equal(
      [...new Set(recorded.report.items.map(key))].sort(),
      [...Object.keys(EXPECTED), 'container/app domainname'].sort(),
    );
    assert.ok(recorded.report.items.every((i) => i.heal === 'by-hand'));
    const machine = await box.tsbox('drift', '--all', '--format', 'prometheus');
    assert.is(machine.code, 2);
    assert.match(machine.stdout, `tsbox_drift_items{stack="${STACK}",severity="security",class="changed"} 2`);

    // Security only.
    const page = join(box.dir, 'report.html');
    const options = ['--heal=security', '--auto-approve', '--format', 'html', '-o', page];
    const part = await box.tsbox('drift', '-f', file, ...options);
    assert.is(part.code, 2, part.stderr + part.stdout);
    const html = readFileSync(page, 'utf8');
    assert.match(html, '<svg');
    assert.match(html, '(sensitive value #1)');
    assert.not.match(html, 'secret-domain');
    assert.is(readFileSync(limit, 'utf8'), '100\n');
    assert.is(readFileSync(own, 'utf8'), '20\n', 'less than declared is not for security');
    const inside = readFileSync(join(box.cgroupDir('pids', `${STACK}/box/app`), 'cgroup.procs'), 'utf8').split('\n');
    assert.not.ok(inside.includes(String(stranger.pid)), 'put out');
    assert.is(stranger.exitCode, null, 'not killed');
    assert.is(spawnSync('nsenter', ['-t', String(app), '-m', 'mountpoint', '-q', '/mnt']).status === 0, false);
    assert.ok(existsSync(`/proc/${app}`), 'the container went on');
    const left = await drift('-f', file);
    assert.equal(
      left.report.items.filter((i) => i.severity === 'security').map((i) => i.attribute),
      ['cgroup', 'netdev', 'netdev'],
      'what takes a hand',
    );
    assert.equal(
      left.report.items
        .filter((i) => i.severity !== 'security')
        .map(key)
        .sort(),
      [
        'container/app hostname',
        'container/app pids.max',
        'container/lost missing',
        'container/orphan supervisor',
        'container/victim state',
      ],
    );

    // By hand as the report says, then the rest.
    for (const command of new Set(
      left.report.items.filter((i) => i.heal === 'by-hand').map((i) => i.heal_command ?? ''),
    )) {
      spawnSync('sh', ['-c', command]);
    }
    const rest = await box.tsbox('drift', '-f', file, '--heal', '--auto-approve');
    assert.is(rest.code, 0, rest.stderr + rest.stdout);
    const last = await drift('-f', file, '--record');
    assert.equal(last.report.items, []);
    assert.is(last.code, 0);
    assert.equal(last.report.ignored.map(key), ['container/app domainname'], 'an ignored item is not healed either');
    const plan = await box.tsbox('plan', '-f', file, '--detailed-exitcode');
    assert.is(plan.code, 2, 'the change of the file is still to be applied');
    assert.match(plan.stdout, /cpu\.weight\s+200 -> 300/);

    // It comes again.
    writeFileSync(limit, 'max');
    const again = (await drift('-f', file)).report.items[0];
    assert.is(again?.id, loosened.id);
    assert.is(again?.history?.times_this_week, 2);
    const history = join(box.env['TSBOX_STATE_DIR'] ?? '', 'history', STACK);
    assert.equal(readdirSync(history), ['drift.jsonl']);

    const destroyed = await box.tsbox('destroy', '-f', file, '--auto-approve');
    assert.is(destroyed.code, 0, destroyed.stderr);
  } finally {
    stranger?.kill('SIGKILL');
    if (existsSync(intruder)) {
      rmdirSync(intruder);
    }
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
});

test('runs recorded at once are all there, and the file stays small', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'tsbox-history-'));
  try {
    const record = (n: number, more = ''): Promise<void> =>
      appendRunLine(loadNative(), dir, 's', `{"n":${n}${more}}\n`);
    await Promise.all(Array.from({ length: 60 }, (_, n) => record(n)));
    const numbers = () =>
      readRunLines(dir, 's')
        .trim()
        .split('\n')
        .map((l) => (JSON.parse(l) as { n: number }).n);
    assert.equal(
      numbers().sort((a, b) => a - b),
      Array.from({ length: 60 }, (_, n) => n),
    );
    for (let n = 60; n < 100; n++) {
      await record(n, `,"x":"${'x'.repeat(30_000)}"`);
    }
    assert.ok(readRunLines(dir, 's').length <= MAX_BYTES);
    assert.is(numbers().at(-1), 99);
    assert.ok(numbers().length > 10);
    for (let n = 0; n < MAX_RUNS + 1; n += 500) {
      await record(n, `}\n${'{"n":1}\n'.repeat(500)}{"n":2`);
    }
    assert.ok(numbers().length <= MAX_RUNS);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test.run();
