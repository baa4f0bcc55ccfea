/** The real supervisor on the real kernel, without the addon. Needs root and a cgroup2 mount. */
import { release } from 'node:os';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { encodeInitSpec } from '../../src/kernel/init-encode.ts';
import { NAMESPACE_TYPES, policyText } from '../../src/kernel/init-spec.ts';
import { parseRunState } from '../../src/kernel/run-state.ts';
import type { InitReport } from '../../src/kernel/init-report.ts';
import type { NamespaceType } from '../../src/kernel/init-spec.ts';
import type { RunState } from '../../src/kernel/run-state.ts';
import {
  alive,
  execIn,
  init,
  namespaces,
  NO_CAPS,
  pin,
  POLICY,
  policy,
  processSpec,
  rootOps,
  run,
  RUN,
  Scene,
  setXattr,
  sleep,
  startTime,
  supervise,
  until,
  xattr,
} from '../support/init-harness.ts';

const test = suite('init');
const only = process.env['INIT_ONLY'];

function scenario(name: string, body: (scene: Scene) => Promise<void>): void {
  if (only && !name.includes(only)) return;
  test(name, async () => {
    const scene = new Scene();
    try {
      await body(scene);
    } finally {
      await scene.close();
    }
  });
}

function started(report: InitReport): { pid: number; supervisor: number } {
  if (!report.ok) throw new Error(`not started: ${JSON.stringify(report)}`);
  for (const [pid, start] of [
    ['pid', 'start'],
    ['supervisor', 'sstart'],
  ] as const) {
    // A short-lived program, and its supervisor, may be gone by now.
    if (existsSync(`/proc/${report.fields[pid]}`)) assert.match(report.fields[start] ?? '', /^\d+$/);
  }
  return { pid: Number(report.fields['pid']), supervisor: Number(report.fields['supervisor']) };
}

function failed(report: InitReport): [string, number, string] {
  if (report.ok) throw new Error('started, though it should not have');
  return [report.step, report.errno, report.path];
}

const ENOENT = 2;
const EACCES = 13;
const ENODEV = 19;
const EINVAL = 22;
const ESRCH = 3;
const DEFAULT_CAP_TEXT = '00000000a80425fb';

/** The host's mounts where a container of these tests would leave one; others may come and go meanwhile. */
const hostMounts = (scene: Scene): string[] =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter(
      (line) =>
        /^(\/|\/proc|\/dev|\/sys|\/tmp)$|^\/(proc|dev|sys)\/|^\/usr|^\/bin/.test(line.split(' ')[4] ?? '') ||
        line.includes(scene.name),
    );

const nsLink = (pid: number | 'self', type: string): string => readlinkSync(`/proc/${pid}/ns/${type}`);
const statusField = (pid: number, name: string): string =>
  new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';
const leaf = (scene: Scene): string => join(scene.cgroup, 'box');

async function state(scene: Scene): Promise<RunState> {
  const text = await xattr(leaf(scene), RUN);
  const parsed = parseRunState(text);
  if (!parsed) throw new Error(`not a run state: ${text}`);
  return parsed;
}

async function stateIs(scene: Scene, wanted: RunState['state'], timeoutMs = 5000): Promise<RunState> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const now = await state(scene);
    if (now.state === wanted) return now;
    if (Date.now() > end) throw new Error(`state is ${now.state}, not ${wanted}`);
  }
}

/** The text of the log's lines on a stream, joined over partial lines. */
function logged(scene: Scene, stream: 'stdout' | 'stderr', file = 'log'): string {
  const path = scene.path(file);
  if (!existsSync(path)) return '';
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const m = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z) (stdout|stderr) ([FP]) (.*)$/.exec(line);
      if (!m) throw new Error(`not a CRI line: ${line}`);
      assert.ok(Math.abs(Date.parse(m[1] ?? '') - Date.now()) < 60_000, `clock of ${line}`);
      return m[2] === stream ? `${m[4]}${m[3] === 'F' ? '\n' : ''}` : '';
    })
    .join('');
}

const untilLogged = (scene: Scene, text: string): Promise<string> =>
  until(`"${text}" in the log`, () => {
    const all = logged(scene, 'stdout');
    return all.includes(text) && all;
  });

scenario('a container has its own namespaces, root, cgroups, capabilities and nothing else', async (scene) => {
  const before = hostMounts(scene);
  const script =
    'cat /proc/self/mountinfo; ls -l /proc/self/fd; hostname; echo keyring; cat /proc/keys; echo up; exec sleep 100';
  const r = await init(
    scene,
    supervise(scene, ['sh', '-c', script], {
      namespaces: namespaces({
        create: ['mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup', 'time'],
        timeOffsets: 'monotonic 1000 0\nboottime 2000 0\n',
        domainname: 'lan',
      }),
    }),
  );
  const { pid, supervisor } = started(r.report);
  assert.is(
    r.text,
    `ok pid=${pid} start=${startTime(pid)} supervisor=${r.child.pid} sstart=${startTime(supervisor)}\n`,
  );
  for (const type of NAMESPACE_TYPES) {
    if (type === 'user') assert.is(nsLink(pid, type), nsLink('self', type));
    else assert.is.not(nsLink(pid, type), nsLink('self', type), type);
    assert.is(nsLink(supervisor, type), nsLink('self', type), `supervisor's ${type}`);
  }
  assert.match(readFileSync(`/proc/${pid}/timens_offsets`, 'utf8'), /monotonic\s+1000\s+0\s+boottime\s+2000/);
  assert.match(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), new RegExp(`0::/${scene.name}/box\n`));
  for (const dir of scene.v1) assert.match(readFileSync(`${dir}/cgroup.procs`, 'utf8'), new RegExp(`^${pid}$`, 'm'));
  for (const set of ['CapPrm', 'CapEff', 'CapBnd']) assert.is(statusField(pid, set), DEFAULT_CAP_TEXT);
  assert.is(statusField(pid, 'NoNewPrivs'), '1');
  assert.is(readFileSync(`/proc/${supervisor}/comm`, 'utf8'), 'tsbox-init\n');
  assert.is(readFileSync(`/proc/${supervisor}/cmdline`, 'utf8').replace(/[\0]+$/, ''), `tsbox: test/${scene.name}`);

  const out = await untilLogged(scene, 'up\n');
  await until('the last program', () => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'sleep\n');
  for (const set of ['CapInh', 'CapAmb', 'SigBlk', 'SigIgn']) assert.is(statusField(pid, set), '0000000000000000', set);
  assert.match(out, /\nbox\n/);
  // No mount of the host is left, and none of the container's reached the host.
  assert.not.match(out, /\/sys\/fs\/cgroup/);
  assert.match(out, / \/ ro,relatime .* ext|^\d+ \d+ \S+ \/ \/ ro/m);
  assert.match(out, / \/proc\/sys ro,nosuid,nodev,noexec/);
  assert.match(out, / \/sys ro,nosuid,nodev,noexec/);
  assert.equal(hostMounts(scene), before);
  assert.match(out, /0 -> \/dev\/null/);
  assert.match(out, /3 -> \/proc\/\d+\/fd/);
  assert.not.match(out, / 4 -> /);

  const fds = readdirSync(`/proc/${supervisor}/fd`).map((fd) => readlinkSync(`/proc/${supervisor}/fd/${fd}`));
  assert.ok(fds.length <= 20, fds.join(' '));
  // Its own description, which an in-place change of mounts replaces, and nothing else of the kind.
  const inMemory = fds.filter((to) => /spec|socket|memfd/.test(to));
  assert.equal(inMemory, ['/memfd:tsbox-spec (deleted)'], fds.join(' '));
  const rollup = readFileSync(`/proc/${supervisor}/smaps_rollup`, 'utf8');
  const own = [...rollup.matchAll(/^Private_\w+:\s+(\d+) kB/gm)].reduce((sum, m) => sum + Number(m[1]), 0);
  assert.ok(own < 300, `${own} KiB of its own`);

  const s = await state(scene);
  assert.is(s.state, 'running');
  assert.is(s.pid, pid);
  assert.is(s.startTime, startTime(pid));
  assert.is(s.supervisor, supervisor);
  process.kill(supervisor, 'SIGTERM');
  assert.is(await r.exit, 0);
  assert.not.ok(alive(pid));
});

scenario('all eight namespaces, with ids mapped', async (scene) => {
  const script =
    'id -u; cat /proc/self/uid_map; touch /tmp/mine && stat -c %u:%g /tmp/mine; cat /proc/self/mountinfo; echo hello > /dev/null && echo wrote; ls -ln /dev/pts; echo up; exec sleep 100';
  const r = await init(
    scene,
    supervise(scene, ['sh', '-c', script], {
      namespaces: namespaces({
        create: [...NAMESPACE_TYPES],
        uidMap: '0 100000 65536\n',
        gidMap: '0 100000 65536\n',
        timeOffsets: 'boottime 500 0\n',
      }),
      root: rootOps({ bindDevices: true }),
    }),
  );
  const { pid, supervisor } = started(r.report);
  for (const type of NAMESPACE_TYPES) assert.is.not(nsLink(pid, type), nsLink('self', type), type);
  assert.is(statusField(pid, 'Uid').split('\t')[0], '100000');
  assert.match(readFileSync(`/proc/${pid}/timens_offsets`, 'utf8'), /boottime\s+500/);
  const out = await untilLogged(scene, 'up\n');
  assert.match(out, /^0\n\s+0\s+100000\s+65536\n0:0\n/);
  assert.match(out, /wrote\n/);
  assert.is(statSync(`/proc/${pid}/root/tmp/mine`).uid, 100000);

  const e = await init(
    scene,
    {
      ...execIn(pid, ['sh', '-c', 'id -u; readlink /proc/self/ns/user; readlink /proc/self/ns/time']),
      namespaces: namespaces({
        create: [],
        join: [...NAMESPACE_TYPES.filter((t) => t !== 'pid'), 'pid' as const].map((type) => ({
          type,
          path: `/proc/${pid}/ns/${type}`,
          startTime: startTime(pid),
        })),
      }),
    },
    'pipe',
  );
  assert.is(await e.exit, 0, e.text);
  assert.is(e.stdout(), `0\n${nsLink(pid, 'user')}\n${nsLink(pid, 'time')}\n`);
  process.kill(supervisor, 'SIGTERM');
  assert.is(await r.exit, 0);
});

scenario('restarts keep the shareable namespaces and stop at the bound', async (scene) => {
  const script =
    'readlink /proc/self/ns/net /proc/self/ns/uts /proc/self/ns/ipc /proc/self/ns/user /proc/self/ns/time /proc/self/ns/cgroup | tr "\\n" " "; echo; readlink /proc/self/ns/pid >&2; hostname; hostname changed; sleep 0.05; exit 3';
  for (const user of [false, true]) {
    rmSync(scene.path('log'), { force: true });
    const r = await init(
      scene,
      supervise(scene, ['sh', '-c', script], {
        policy: policy({ policy: 'on-failure', max: 2 }),
        namespaces: namespaces({
          create: user ? [...NAMESPACE_TYPES] : ['mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup', 'time'],
          uidMap: user ? '0 100000 65536\n' : '',
          gidMap: user ? '0 100000 65536\n' : '',
        }),
        root: rootOps({ bindDevices: user }),
        process: processSpec(['sh', '-c', script], {
          capabilities: { ...NO_CAPS, bounding: 1n << 21n, permitted: 1n << 21n, effective: 1n << 21n },
        }),
      }),
    );
    started(r.report);
    assert.is(await r.exit, 0);
    const s = await state(scene);
    assert.is(s.state, 'exited');
    assert.is(s.exit, 3);
    assert.is(s.restarts, 2);
    assert.is(s.pid, 0);
    assert.is(s.startTime, '');
    const lines = logged(scene, 'stdout').trim().split('\n');
    assert.is(lines.length, 6, lines.join('\n'));
    assert.is(lines[0], lines[2]);
    assert.is(lines[0], lines[4]);
    // A name changed while it ran is the namespace's, and stays.
    assert.equal([lines[1], lines[3], lines[5]], ['box', 'changed', 'changed']);
    assert.is(logged(scene, 'stderr').trim().split('\n').length, 3);
  }
});

scenario('restart policies', async (scene) => {
  const outcomes: Array<[string, Parameters<typeof policy>[0], number]> = [
    ['exit 0', { policy: 'on-failure' }, 0],
    ['exit 1', { policy: 'no' }, 0],
    ['exit 0', { policy: 'always', max: 2, backoffMs: 1 }, 2],
    ['kill -9 $$', { policy: 'on-failure', max: 1, backoffMs: 1 }, 1],
  ];
  for (const [script, p, restarts] of outcomes) {
    // The sub-shell is not the namespace's pid 1, which could not kill itself.
    const r = await init(
      scene,
      supervise(scene, ['sh', '-c', script], {
        policy: policy(p),
        namespaces: namespaces({ create: ['mnt'] }),
        root: [{ op: 'none' }],
      }),
    );
    assert.ok(r.report.ok, r.text);
    assert.is(await r.exit, 0);
    const s = await state(scene);
    assert.is(s.restarts, restarts, script);
    assert.is(s.state, 'exited');
    if (script.startsWith('kill')) assert.equal([s.exit, s.signal], [-1, 9]);
  }
});

scenario('backoff doubles up to its cap, and stop ends it', async (scene) => {
  const r = await init(
    scene,
    supervise(scene, ['date', '+%s%N'], { policy: policy({ policy: 'always', backoffMs: 50, backoffMaxMs: 200 }) }),
  );
  started(r.report);
  const times = await until('five runs', () => {
    const lines = logged(scene, 'stdout').trim().split('\n');
    return lines.length >= 5 && lines.slice(0, 5).map((ns) => Number(BigInt(ns) / 1000000n));
  });
  const gaps = times.slice(1).map((t, i) => t - (times[i] ?? 0));
  // Never sooner; how much later is the machine's affair.
  [50, 100, 200, 200].forEach((delay, i) => assert.ok((gaps[i] ?? 0) >= delay, gaps.join(' ')));
  await stateIs(scene, 'backoff');
  r.child.kill('SIGTERM');
  assert.is(await r.exit, 0);
  assert.is((await state(scene)).state, 'stopped');
});

scenario('stop: with grace, and for one that ignores it', async (scene) => {
  const polite = await init(
    scene,
    supervise(scene, ['sh', '-c', 'trap "echo bye; exit 5" TERM; echo up; while :; do sleep 0.02; done']),
  );
  started(polite.report);
  await untilLogged(scene, 'up\n');
  polite.child.kill('SIGTERM');
  assert.is(await polite.exit, 0);
  let s = await state(scene);
  assert.equal([s.state, s.exit, s.signal], ['stopped', 5, 0]);
  assert.match(logged(scene, 'stdout'), /bye\n/);

  rmSync(scene.path('log'));
  const deaf = await init(
    scene,
    supervise(scene, ['sh', '-c', 'trap "" TERM; sleep 200 & echo up; wait; sleep 100'], {
      policy: policy({ graceMs: 1500, policy: 'always' }),
      namespaces: namespaces({ create: ['mnt'] }),
    }),
  );
  started(deaf.report);
  await untilLogged(scene, 'up\n');
  const begin = Date.now();
  deaf.child.kill('SIGTERM');
  await stateIs(scene, 'stopping');
  assert.is(await deaf.exit, 0);
  const took = Date.now() - begin;
  assert.ok(took >= 1490, `${took} ms`);
  s = await state(scene);
  assert.equal([s.state, s.exit, s.signal], ['stopped', -1, 9]);
  // What it left behind goes too, though it had no pid namespace.
  await until('an empty group', () => readFileSync(join(leaf(scene), 'cgroup.procs'), 'utf8') === '');
});

scenario('the policy label is read at the start and on SIGHUP', async (scene) => {
  const spec = supervise(scene, ['sh', '-c', 'sleep 0.2; exit 1'], { policy: policy({ policy: 'no' }) });
  await setXattr(leaf(scene), POLICY, policyText(policy({ policy: 'always', backoffMs: 5, backoffMaxMs: 5 })));
  const r = await init(scene, spec);
  started(r.report);
  await until('a restart', () => logged(scene, 'stderr') === '' && alive(r.child.pid ?? 0));
  const end = Date.now() + 3000;
  while ((await state(scene)).restarts < 2 && Date.now() < end) await sleep(20);
  assert.ok((await state(scene)).restarts >= 2);
  await setXattr(leaf(scene), POLICY, policyText(policy({ policy: 'no' })));
  r.child.kill('SIGHUP');
  assert.is(await r.exit, 0);
  assert.is((await state(scene)).state, 'exited');
});

scenario('a killed supervisor leaves the container running; another adopts it', async (scene) => {
  const script = 'trap "exit 9" TERM; i=0; while :; do echo tick $i; i=$((i+1)); sleep 0.02; done';
  const spec = supervise(scene, ['sh', '-c', script]);
  const r = await init(scene, spec);
  const { pid, supervisor } = started(r.report);
  await untilLogged(scene, 'tick 3\n');
  process.kill(supervisor, 'SIGKILL');
  await r.exit;
  await sleep(100);
  assert.ok(alive(pid));
  const wrong = await init(scene, { ...spec, adopt: { pid, startTime: '1', restarts: 0 } });
  assert.equal(failed(wrong.report).slice(0, 2), ['adopt', ESRCH]);
  assert.ok(alive(pid));
  assert.equal([(await state(scene)).state, (await state(scene)).pid], ['running', pid]);

  const a = await init(scene, { ...spec, adopt: { pid, startTime: startTime(pid), restarts: 4 } });
  assert.is(started(a.report).pid, pid);
  let s = await state(scene);
  assert.equal([s.state, s.pid, s.supervisor, s.restarts], ['running', pid, a.child.pid, 4]);
  const before = logged(scene, 'stdout').length;
  await until('more of the log', () => logged(scene, 'stdout').length > before + 50);
  // Nothing written between the two supervisors is lost.
  const ticks = logged(scene, 'stdout').trim().split('\n');
  ticks.forEach((line, i) => assert.is(line, `tick ${i}`));
  a.child.kill('SIGTERM');
  assert.is(await a.exit, 0);
  s = await state(scene);
  assert.is(s.state, 'stopped');
  // Before 6.15 (PIDFD_INFO_EXIT) the status of a process that is not ours is lost when its parent reaps it first.
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const told = major > 6 || (major === 6 && minor >= 15);
  assert.ok(s.exit === 9 || (!told && s.exit === -2), String(s.exit));
});

scenario('an adopted container is restarted in its old namespaces', async (scene) => {
  const spec = supervise(scene, ['sh', '-c', 'readlink /proc/self/ns/net; sleep 100'], {
    policy: policy({ policy: 'always', backoffMs: 1 }),
  });
  const r = await init(scene, spec);
  const { pid, supervisor } = started(r.report);
  await until('output', () => logged(scene, 'stdout') !== '');
  process.kill(supervisor, 'SIGKILL');
  await r.exit;
  const a = await init(scene, { ...spec, adopt: { pid, startTime: startTime(pid), restarts: 0 } });
  started(a.report);
  process.kill(pid, 'SIGKILL');
  await until('a second run', () => logged(scene, 'stdout').trim().split('\n').length === 2);
  const [first, second] = logged(scene, 'stdout').trim().split('\n');
  assert.is(first, second);
  const s = await stateIs(scene, 'running');
  scene.track(s.pid);
  assert.is(s.restarts, 1);
  a.child.kill('SIGTERM');
  assert.is(await a.exit, 0);
});

scenario('exec passes output, exit code, signals and cgroup', async (scene) => {
  const r = await init(scene, supervise(scene, ['sleep', '100']));
  const { pid } = started(r.report);
  const e = await init(
    scene,
    {
      ...execIn(pid, [
        'sh',
        '-c',
        'cat; hostname; cat /proc/self/cgroup; readlink /proc/self/ns/pid; ls /proc/self/fd; exit 7',
      ]),
      cgroup: leaf(scene),
      cgroupProcs: scene.v1.map((d) => `${d}/cgroup.procs`),
    },
    'pipe',
    'from stdin\n',
  );
  assert.is(await e.exit, 7, e.text);
  assert.match(e.stdout(), /^from stdin\nbox\n/);
  assert.match(e.stdout(), /0::\/\n/);
  assert.match(e.stdout(), new RegExp(`${nsLink(pid, 'pid').replace(/[[\]]/g, '\\$&')}\n0\n1\n2\n3\n$`));

  const killed = await init(scene, execIn(pid, ['sh', '-c', 'kill -15 $$']), 'pipe');
  assert.is(await killed.exit, 143);
  const forwarded = await init(
    scene,
    execIn(pid, ['sh', '-c', 'trap "exit 4" TERM; echo ready; while :; do sleep 0.01; done']),
    'pipe',
  );
  await until('ready', () => forwarded.stdout() === 'ready\n');
  forwarded.child.kill('SIGTERM');
  assert.is(await forwarded.exit, 4);
  const missing = await init(scene, execIn(pid, ['no-such-program']));
  assert.equal(failed(missing.report), ['exec', ENOENT, 'no-such-program']);
  assert.is(await missing.exit, 125);
});

scenario('exec with a terminal of the container', async (scene) => {
  const r = await init(scene, supervise(scene, ['sleep', '100']));
  const { pid } = started(r.report);
  const e = await init(
    scene,
    {
      ...execIn(pid, [
        'sh',
        '-c',
        'tty; [ -t 0 ] && [ -t 1 ] && echo yes; stty -a | head -1; read line; echo "got $line"; exit 6',
      ]),
      tty: true,
    },
    'pipe',
    'typed\n',
  );
  assert.is(await e.exit, 6, e.text);
  assert.match(e.stdout(), /^(typed\r\n)?\/dev\/pts\/0\r\nyes\r\n/, e.stdout());
  assert.match(e.stdout(), /got typed\r\n/);
});

scenario('pins: each type, and joining it', async (scene) => {
  for (const type of NAMESPACE_TYPES) {
    const target = scene.path(`pin-${type}`);
    writeFileSync(target, '');
    const spec = pin(type, target, {
      ...(type === 'user' ? { uidMap: '0 200000 1000\n', gidMap: '0 200000 1000\n' } : {}),
      ...(type === 'uts' ? { hostname: 'pinned' } : {}),
      ...(type === 'time' ? { timeOffsets: 'boottime 777 0\n' } : {}),
    });
    const r = await init(scene, { ...spec, cgroupProcs: type === 'pid' ? [join(scene.cgroup, 'cgroup.procs')] : [] });
    scene.trackMount(target);
    assert.is(await r.exit, 0, r.text);
    if (!r.report.ok) throw new Error(r.text);
    const keeper = Number(r.report.fields['pid']);
    if (type === 'pid') {
      assert.is(startTime(keeper), r.report.fields['start']);
      for (const set of ['CapPrm', 'CapEff', 'CapBnd', 'CapInh', 'CapAmb'])
        assert.is(statusField(keeper, set), '0000000000000000');
      assert.is(statusField(keeper, 'NoNewPrivs'), '1');
      assert.is(statusField(keeper, 'Uid').split('\t')[0], '65534');
      assert.equal(readdirSync(`/proc/${keeper}/fd`), []);
      assert.equal(readdirSync(`/proc/${keeper}/root`), []);
      assert.match(readFileSync(`/proc/${keeper}/cgroup`, 'utf8'), new RegExp(scene.name));
    } else assert.is(keeper, 0);

    const join_ = [{ type, path: target, startTime: '' }];
    const create = (['mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup'] as NamespaceType[]).filter((t) => t !== type);
    const c = await init(
      scene,
      supervise(scene, ['sh', '-c', 'hostname; cat /proc/uptime; exec sleep 100'], {
        namespaces: namespaces({ create, join: join_, hostname: type === 'uts' ? '' : 'box' }),
        root: type === 'mnt' ? [{ op: 'none' }] : rootOps({ bindDevices: type === 'user' }),
      }),
    );
    const box = started(c.report);
    assert.is(`${type}:[${statSync(target).ino}]`, nsLink(box.pid, type));
    if (type === 'uts') await untilLogged(scene, 'pinned\n');
    if (type === 'user') assert.is(statusField(box.pid, 'Uid').split('\t')[0], '200000');
    c.child.kill('SIGKILL');
    process.kill(box.pid, 'SIGKILL');
    await until('the end', () => !alive(box.pid));
    rmSync(scene.path('log'), { force: true });
    if (type === 'pid') {
      assert.ok(alive(keeper), 'the keeper outlives its members');
      process.kill(keeper, 'SIGTERM');
      await sleep(20);
      assert.ok(alive(keeper), 'the keeper does not heed signals');
    }
  }
});

scenario('a namespace owned by a pinned user namespace', async (scene) => {
  const [user, net] = [scene.path('user'), scene.path('net')];
  writeFileSync(user, '');
  writeFileSync(net, '');
  const u = await init(scene, pin('user', user, { uidMap: '0 300000 10\n', gidMap: '0 300000 10\n' }));
  scene.trackMount(user);
  assert.ok(u.report.ok, u.text);
  const n = await init(scene, pin('net', net, { join: [{ type: 'user', path: user, startTime: '' }] }));
  assert.ok(n.report.ok, n.text);
  scene.trackMount(net);
  const c = await init(
    scene,
    supervise(scene, ['sleep', '100'], {
      namespaces: namespaces({
        create: ['mnt', 'pid', 'ipc', 'uts', 'cgroup'],
        join: [
          { type: 'user', path: user, startTime: '' },
          { type: 'net', path: net, startTime: '' },
        ],
      }),
      root: rootOps({ bindDevices: true }),
    }),
  );
  const { pid } = started(c.report);
  assert.is(nsLink(pid, 'net'), `net:[${statSync(net).ino}]`);
  assert.is(nsLink(pid, 'user'), `user:[${statSync(user).ino}]`);
});

scenario('failures name their step, errno and object, and leave nothing', async (scene) => {
  const base = (argv: readonly string[]): ReturnType<typeof supervise> => supervise(scene, argv);
  const attempt = async (
    what: string,
    spec: ReturnType<typeof supervise>,
    expected: [string, number, string],
  ): Promise<void> => {
    const r = await init(scene, spec);
    assert.equal(failed(r.report), expected, what);
    assert.is(await r.exit, 125);
    await until('an empty group', () => readFileSync(join(leaf(scene), 'cgroup.procs'), 'utf8') === '');
  };
  const sleep_ = ['sleep', '100'];
  await attempt('missing program', base(['no-such-program']), ['exec', ENOENT, 'no-such-program']);
  await attempt('not executable', base(['/etc/passwd']), ['exec', EACCES, '/etc/passwd']);
  await attempt('missing cwd', { ...base(sleep_), process: processSpec(sleep_, { cwd: '/nowhere' }) }, [
    'cwd',
    ENOENT,
    '/nowhere',
  ]);
  const ops = (extra: Parameters<typeof rootOps>[0]): ReturnType<typeof supervise> => ({
    ...base(sleep_),
    root: rootOps(extra),
  });
  await attempt(
    'missing source',
    ops({ extra: [{ op: 'bind', source: '/nowhere', target: '/mnt', recursive: false, create: 'none' }] }),
    ['bind', ENOENT, '/nowhere'],
  );
  await attempt(
    'missing target',
    ops({ extra: [{ op: 'bind', source: '/etc', target: '/nowhere', recursive: false, create: 'none' }] }),
    ['bind', ENOENT, '/nowhere'],
  );
  await attempt(
    'unknown filesystem',
    ops({ extra: [{ op: 'mount', fstype: 'nofs', target: '/mnt', options: [], create: 'none' }] }),
    ['mount', ENODEV, '/mnt'],
  );
  await attempt(
    'bad option',
    ops({
      extra: [{ op: 'mount', fstype: 'tmpfs', target: '/mnt', options: ['size=1m', 'colour=red'], create: 'none' }],
    }),
    ['mount', EINVAL, '/mnt option colour=red'],
  );
  await attempt(
    'not that device',
    ops({ extra: [{ op: 'bind-device', source: '/dev/zero', target: '/dev/x', type: 'c', major: 1, minor: 3 }] }),
    ['bind-device', ENODEV, '/dev/zero'],
  );
  await attempt('a cgroup that is none', { ...base(sleep_), cgroup: '/tmp' }, ['cgroup', EINVAL, '/tmp']);
  await attempt('a log that cannot be', { ...base(sleep_), log: { path: '/nowhere/log', maxBytes: 0, files: 1 } }, [
    'log',
    ENOENT,
    '/nowhere/log',
  ]);
  const joins = (type: NamespaceType, path: string, start = ''): ReturnType<typeof supervise> => ({
    ...base(sleep_),
    namespaces: namespaces({ create: ['mnt'], join: [{ type, path, startTime: start }] }),
  });
  await attempt('wrong type', joins('net', '/proc/self/ns/ipc'), ['join', EINVAL, '/proc/self/ns/ipc']);
  await attempt('not a namespace', joins('net', '/etc/passwd'), ['join', EINVAL, '/etc/passwd']);
  await attempt('another process by now', joins('net', `/proc/${process.pid}/ns/net`, '1'), [
    'join',
    ESRCH,
    `/proc/${process.pid}/ns/net`,
  ]);
  await attempt('bad id map', { ...base(sleep_), namespaces: namespaces({ create: ['user', 'mnt'], uidMap: 'x\n' }) }, [
    'uid_map',
    EINVAL,
    '/proc/PID/uid_map',
  ]).catch((e: Error) => {
    assert.match(e.message + JSON.stringify((e as { actual?: unknown }).actual ?? ''), /uid_map/);
  });
  assert.is((await state(scene)).state, 'failed');
});

scenario('links in the root lead nowhere outside', async (scene) => {
  const root = scene.path('root');
  const outside = scene.path('outside');
  for (const dir of ['bin', 'usr', 'lib', 'lib64', 'proc', 'data']) mkdirSync(join(root, dir), { recursive: true });
  mkdirSync(outside);
  // The same name within the root: where an absolute link leads, seen from inside.
  mkdirSync(join(root, outside), { recursive: true });
  await run('ln', ['-s', outside, join(root, 'absolute')]);
  await run('ln', ['-s', `../../../../../../../..${outside}`, join(root, 'relative')]);
  await run('ln', ['-s', `${outside}/made`, join(root, 'dangling')]);
  const bind = (
    source: string,
    target: string,
    create: 'none' | 'dir' | 'file',
  ): { op: 'bind'; source: string; target: string; recursive: boolean; create: 'none' | 'dir' | 'file' } => ({
    op: 'bind',
    source,
    target,
    recursive: true,
    create,
  });
  const spec = supervise(scene, ['/bin/sh', '-c', 'exec /bin/sleep 100'], {
    root: [
      { op: 'root-bind', source: root, recursive: false },
      bind('/bin', '/bin', 'none'),
      bind('/usr', '/usr', 'none'),
      bind('/lib', '/lib', 'none'),
      bind('/lib64', '/lib64', 'none'),
      { op: 'mkdir', target: '/absolute/inside', mode: 0o755 },
      bind('/etc', '/relative/etc', 'dir'),
      bind('/etc/passwd', '/data/a/b/passwd', 'file'),
    ],
  });
  const r = await init(scene, spec);
  const { pid } = started(r.report);
  assert.equal(readdirSync(outside), [], 'nothing was made outside');
  assert.ok(statSync(join(root, outside, 'inside')).isDirectory(), 'links are read within the root');
  assert.ok(existsSync(`/proc/${pid}/root/data/a/b/passwd`));
  r.child.kill('SIGTERM');
  process.kill(pid, 'SIGKILL');
  await r.exit;
  const dangling = await init(scene, { ...spec, root: [...spec.root, bind('/etc', '/dangling', 'dir')] });
  const [step, , path] = failed(dangling.report);
  assert.equal([step, path], ['bind', '/dangling']);
  assert.equal(readdirSync(outside), []);
});

scenario('overlay roots: with a given upper, and with a private one', async (scene) => {
  const [low, low2, upper, work] = ['low,er', 'low:2', 'upper', 'work'].map((name) => {
    mkdirSync(scene.path(name));
    return scene.path(name);
  }) as [string, string, string, string];
  writeFileSync(join(low, 'below'), 'below\n');
  writeFileSync(join(low2, 'both'), 'two\n');
  writeFileSync(join(low, 'both'), 'one\n');
  const before = hostMounts(scene);
  for (const [up, wk] of [
    [upper, work],
    ['', ''],
  ] as const) {
    rmSync(scene.path('log'), { force: true });
    const mounts = ['/bin', '/usr', '/lib', '/lib64'].map(
      (dir) => ({ op: 'bind', source: dir, target: dir, recursive: true, create: 'dir' }) as const,
    );
    const r = await init(
      scene,
      supervise(scene, ['/bin/sh', '-c', 'cat /below /both; echo new > /made; echo up; exec sleep 100'], {
        root: [{ op: 'root-overlay', lower: [low, low2], upper: up, work: wk }, ...mounts],
      }),
    );
    const { pid } = started(r.report);
    await untilLogged(scene, 'below\none\nup\n');
    assert.is(existsSync(join(upper, 'made')), up !== '');
    assert.not.ok(existsSync(join(low, 'made')));
    assert.equal(hostMounts(scene), before);
    r.child.kill('SIGTERM');
    process.kill(pid, 'SIGKILL');
    await r.exit;
    rmSync(join(upper, 'made'), { force: true });
  }
});

scenario('logs: long lines, no last line feed, rotation, a directory that vanishes', async (scene) => {
  const long = await init(
    scene,
    supervise(scene, ['sh', '-c', 'head -c 10000 /dev/zero | tr "\\0" x; echo; printf end']),
  );
  started(long.report);
  assert.is(await long.exit, 0);
  assert.is(logged(scene, 'stdout'), `${'x'.repeat(10000)}\nend\n`);
  assert.is(statSync(scene.path('log')).mode & 0o777, 0o640);

  rmSync(scene.path('log'));
  const spec = supervise(scene, ['sh', '-c', 'seq 1 20000'], {
    log: { path: scene.path('log'), maxBytes: 100_000, files: 3 },
  });
  const much = await init(scene, spec);
  started(much.report);
  assert.is(await much.exit, 0);
  const files = readdirSync(scene.dir).filter((f) => f.startsWith('log'));
  assert.equal(files.sort(), ['log', 'log.1', 'log.2']);
  for (const f of files) assert.ok(statSync(scene.path(f)).size <= 100_000, f);
  const all = ['log.2', 'log.1', 'log']
    .map((f) => logged(scene, 'stdout', f))
    .join('')
    .trim()
    .split('\n')
    .map(Number);
  assert.is(all.at(-1), 20000);
  all.forEach((n, i) => assert.is(n, (all[0] ?? 0) + i));

  mkdirSync(scene.path('logs'));
  const gone = await init(
    scene,
    supervise(scene, ['sh', '-c', 'while :; do seq 1 200; sleep 0.01; done'], {
      log: { path: scene.path('logs/log'), maxBytes: 20_000, files: 2 },
    }),
  );
  const { pid } = started(gone.report);
  renameSync(scene.path('logs'), scene.path('elsewhere'));
  rmSync(scene.path('elsewhere'), { recursive: true });
  await until('a new log', () => existsSync(scene.path('logs/log')) && statSync(scene.path('logs/log')).size > 0);
  assert.ok(alive(pid));
});

scenario('a user of its own: ids, groups, no capabilities, its own stdout by name', async (scene) => {
  const spec = supervise(
    scene,
    ['sh', '-c', 'id; umask; echo by name > /proc/self/fd/1; pwd; cat /proc/self/status'],
    {},
  );
  const r = await init(scene, {
    ...spec,
    process: processSpec(spec.process.argv, {
      uid: 1234,
      gid: 2345,
      groups: [10, 20],
      umask: 0o077,
      cwd: '/usr',
      capabilities: NO_CAPS,
    }),
  });
  started(r.report);
  await r.exit;
  const out = logged(scene, 'stdout');
  assert.match(out, /uid=1234 gid=2345 groups=2345,10\(\w+\),20\(\w+\)\n0077\nby name\n\/usr\n/);
  for (const set of ['CapPrm', 'CapEff', 'CapBnd', 'CapInh', 'CapAmb'])
    assert.match(out, new RegExp(`${set}:\t0000000000000000`));
});

scenario('ambient capabilities and a seccomp filter', async (scene) => {
  const cap = 1n << 10n;
  // Return EPERM for mkdir and mkdirat on either machine: ld nr; jeq; ret.
  const numbers = process.arch === 'arm64' ? [34, 34] : [83, 258];
  const words = [
    [0x20, 0, 0, 0],
    [0x15, 2, 0, numbers[0] ?? 0],
    [0x15, 1, 0, numbers[1] ?? 0],
    [0x06, 0, 0, 0x7fff0000],
    [0x06, 0, 0, 0x00050001],
  ];
  const filter = Buffer.alloc(words.length * 8);
  words.forEach(([code = 0, jt = 0, jf = 0, k = 0], i) => {
    filter.writeUInt16LE(code, i * 8);
    filter.writeUInt8(jt, i * 8 + 2);
    filter.writeUInt8(jf, i * 8 + 3);
    filter.writeUInt32LE(k, i * 8 + 4);
  });
  for (const noNewPrivs of [true, false]) {
    rmSync(scene.path('log'), { force: true });
    const spec = supervise(scene, [
      'sh',
      '-c',
      'grep -E "Cap|Sec|NoNew" /proc/self/status; mkdir /tmp/x || echo refused',
    ]);
    const r = await init(scene, {
      ...spec,
      process: processSpec(spec.process.argv, {
        uid: 7,
        gid: 7,
        noNewPrivs,
        seccomp: filter,
        capabilities: { bounding: cap, permitted: cap, effective: cap, inheritable: cap, ambient: cap },
      }),
    });
    started(r.report);
    await r.exit;
    const out = logged(scene, 'stdout');
    for (const set of ['CapPrm', 'CapEff', 'CapBnd', 'CapInh', 'CapAmb'])
      assert.match(out, new RegExp(`${set}:\t0000000000000400`));
    assert.match(out, /Seccomp:\t2/);
    assert.match(out, new RegExp(`NoNewPrivs:\t${noNewPrivs ? 1 : 0}`));
    assert.match(out, /refused/);
  }
});

scenario('uts names are read and written without touching our own', async (scene) => {
  const own = readFileSync('/proc/sys/kernel/hostname', 'utf8');
  const target = scene.path('uts');
  writeFileSync(target, '');
  const p = await init(scene, pin('uts', target, { hostname: 'one', domainname: 'two' }));
  scene.trackMount(target);
  assert.ok(p.report.ok, p.text);
  const read = await init(scene, { mode: 'uts-read', paths: [target, '/proc/self/ns/net', '/nowhere'] });
  assert.is(read.text, `one\ttwo\n!${EINVAL}\n!${ENOENT}\n`);
  const write = await init(scene, { mode: 'uts-write', path: target, hostname: null, domainname: '' });
  assert.ok(write.report.ok, write.text);
  const again = await init(scene, { mode: 'uts-write', path: target, hostname: 'three', domainname: null });
  assert.ok(again.report.ok, again.text);
  assert.is((await init(scene, { mode: 'uts-read', paths: [target] })).text, 'three\t\n');
  assert.is(readFileSync('/proc/sys/kernel/hostname', 'utf8'), own);
});

scenario('the supervisor itself moves into its cgroups', async (scene) => {
  const own = join(scene.cgroup, 'supervisor');
  mkdirSync(own);
  const r = await init(scene, { ...supervise(scene, ['sleep', '100']), supervisorProcs: [join(own, 'cgroup.procs')] });
  const { supervisor, pid } = started(r.report);
  assert.match(readFileSync(`/proc/${supervisor}/cgroup`, 'utf8'), /\/supervisor\n/);
  assert.match(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), /\/box\n/);
});

scenario('a namespace shared with another container survives its restart', async (scene) => {
  const spec = supervise(scene, ['sleep', '100'], { policy: policy({ policy: 'always', backoffMs: 1 }) });
  const a = await init(scene, spec);
  const { pid } = started(a.report);
  const net = nsLink(pid, 'net');
  const b = await init(
    scene,
    supervise(scene, ['sleep', '100'], {
      namespaces: namespaces({
        create: ['mnt', 'pid', 'ipc', 'uts', 'cgroup'],
        join: [{ type: 'net', path: `/proc/${pid}/ns/net`, startTime: startTime(pid) }],
      }),
      labelDir: '',
      log: { path: '', maxBytes: 0, files: 1 },
    }),
  );
  const other = started(b.report);
  assert.is(nsLink(other.pid, 'net'), net);
  process.kill(pid, 'SIGKILL');
  await until('the first to end', () => !alive(pid));
  const s = await stateIs(scene, 'running');
  assert.is(nsLink(s.pid, 'net'), net);
  assert.is(readlinkSync(`/proc/${other.pid}/fd/1`), '/dev/null');
});

scenario('a restart that fails is told in the log and in the state', async (scene) => {
  const script = scene.path('script');
  writeFileSync(script, '#!/bin/sh\nrm "$0"; exit 1\n', { mode: 0o755 });
  const r = await init(
    scene,
    supervise(scene, [script], {
      policy: policy({ policy: 'always', backoffMs: 1 }),
      root: [{ op: 'none' }],
      namespaces: namespaces({ create: ['mnt', 'pid'] }),
    }),
  );
  assert.ok(r.report.ok, r.text);
  assert.is(await r.exit, 1);
  assert.is((await state(scene)).state, 'failed');
  assert.is(logged(scene, 'stderr'), `tsbox: restart failed: step=exec errno=${ENOENT} path=${script}\n`);
});

scenario('a frozen container can be stopped', async (scene) => {
  const r = await init(scene, supervise(scene, ['sleep', '100'], { policy: policy({ graceMs: 100 }) }));
  const { pid } = started(r.report);
  writeFileSync(join(leaf(scene), 'cgroup.freeze'), '1');
  await until('frozen', () => /frozen 1/.test(readFileSync(join(leaf(scene), 'cgroup.events'), 'utf8')));
  r.child.kill('SIGTERM');
  assert.is(await r.exit, 0);
  assert.not.ok(alive(pid));
  writeFileSync(join(leaf(scene), 'cgroup.freeze'), '0');
});

scenario('output without end does not keep the supervisor from stopping it', async (scene) => {
  const r = await init(
    scene,
    supervise(scene, ['yes'], {
      log: { path: scene.path('log'), maxBytes: 1_000_000, files: 2 },
      policy: policy({ graceMs: 50 }),
    }),
  );
  const { supervisor } = started(r.report);
  await sleep(500);
  r.child.kill('SIGTERM');
  const begin = Date.now();
  assert.is(await r.exit, 0);
  assert.ok(Date.now() - begin < 10_000);
  for (const f of ['log', 'log.1']) assert.ok(statSync(scene.path(f)).size <= 1_000_000, f);
  assert.not.ok(alive(supervisor));
});

scenario('a description cut off anywhere is refused whole', async (scene) => {
  const whole = encodeInitSpec(supervise(scene, ['sleep', '100']));
  for (let n = 0; n < whole.length; n += n < 64 ? 1 : 131) {
    const r = await init(scene, whole.subarray(0, n));
    assert.is(failed(r.report)[0], 'spec', `at ${n}`);
  }
  const changed = (at: number, value: number): Uint8Array => {
    const copy = Buffer.from(whole);
    copy.writeUInt32LE(value, at);
    return copy;
  };
  for (const bad of [
    changed(0, 1),
    changed(4, 2),
    changed(8, 99),
    changed(8, 0),
    changed(12, whole.length + 1),
    changed(16, 99),
    changed(20, 0xffffffff),
    changed(20, 0),
    changed(24, 0xfffffff0),
  ]) {
    assert.is(failed((await init(scene, bad)).report)[0], 'spec');
  }
});

if (process.getuid?.() === 0) test.run();
else process.stdout.write('init: skipped, needs root\n');
