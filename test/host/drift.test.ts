/**
 * The generic drift test: for every attribute of every kind, a hand edit behind tsbox's back must show in plan and
 * drift as exactly that attribute, heal by apply, and then be gone. An attribute with neither a mutator nor a stated
 * reason why nobody can change it fails the test.
 */
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadNative } from '../../src/kernel/native.ts';
import { KNOBS as ALL_KNOBS } from '../../src/resources/cgroup/registry.ts';
import { NETWORK_ATTRIBUTES } from '../../src/resources/network/attributes.ts';
import { KINDS } from '../../src/resources/registry.ts';
import { compileRules } from '../../src/resources/devices/compile.ts';
import { POLICY_XATTR } from '../../src/resources/label.ts';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { editSysctl, SYSCTLS } from '../support/namespace-edits.ts';
import { SUPERVISION_EDITS } from '../support/supervision-edits.ts';
import { PROCESS_EDITS } from '../support/process-edits.ts';
import { MOUNT_MUTATORS, VOLUME_MUTATORS } from '../support/mount-edits.ts';
import { layout, sandbox } from '../support/sandbox.ts';

type Sandbox = Awaited<ReturnType<typeof sandbox>>;

const STACK = 'drifty';
const mode = layout();

/** Under software emulation every command takes seconds; there the apply's own verification has to do. */
const GUEST = process.env['TSBOX_GUEST'] === '1';

/** v2-only knobs are left out of the stack where the kernel lacks them, and reported as skipped. */
const V2_ONLY =
  mode === 'unified'
    ? 'memory: { max: 64MiB, low: 8MiB, min: 4MiB, high: 60MiB }'
    : 'memory: { max: 64MiB, low: 8MiB }';

const YAML = `
tsbox: 1
name: ${STACK}
cgroups:
  box:
    cpu: { weight: 200, max: 50% }
    ${V2_ONLY}
    pids: { max: 100 }
    cpuset: { cpus: "0-1", mems: "0" }
    freeze: false
    devices: [ { allow: all } ]
namespaces:
  names: { type: uts, hostname: first, domainname: one.example }
  procs: { type: pid }
  wires: { type: net, sysctls: ${SYSCTLS} }
containers:
  app:
    command: [sleep, infinity]
    cgroup: box
    cpu: { weight: 300, max: 40% }
    ${V2_ONLY.replace('64MiB', '32MiB').replace('60MiB', '30MiB')}
    pids: { max: 50 }
    cpuset: { cpus: "0", mems: "0" }
    freeze: false
    restart: { policy: on-failure, max: 3 }
    sysctls: ${SYSCTLS}
    namespaces:
      user: { uids: [{ inside: 0, outside: 100000, count: 65536 }] }
      uts: { hostname: app, domainname: app.example }
      time: { monotonic: 100, boottime: 200 }
  member:
    command: [sleep, infinity]
    namespaces: { uts: names }
`;

interface World {
  readonly box: Sandbox;
  /** The live directory of the cgroup (or leaf) that the mutator works on. */
  readonly path: string;
  /** The container's process. */
  readonly pid: () => number;
  readonly supervisor: () => number;
}

type Mutator = (world: World) => void | Promise<void>;

function write(path: string, text: string): void {
  writeFileSync(path, text);
}

/** A knob written by hand into the file of whichever version this machine has. */
function knob(controller: string, v2: readonly [string, string], v1: readonly [string, string] | undefined): Mutator {
  return ({ box, path }) => {
    const unified = mode === 'unified' || controller === 'core';
    const pair = unified && mode !== 'v1' ? v2 : v1;
    if (pair === undefined) {
      throw new Error('no such file here');
    }
    const dir = box.cgroupDir(controller === 'core' ? (mode === 'v1' ? 'freezer' : 'unified') : controller, path);
    write(`${dir}/${pair[0]}`, pair[1]);
  };
}

const ELSEWHERE = 'tried with every other knob in drift-knobs';

const KNOBS: Readonly<Record<string, Mutator | string>> = {
  ...Object.fromEntries(ALL_KNOBS.map((k) => [k.name, ELSEWHERE])),
  'cpu.weight': knob('cpu', ['cpu.weight', '77'], ['cpu.shares', '777']),
  'cpu.max': knob('cpu', ['cpu.max', '45000 100000'], ['cpu.cfs_quota_us', '45000']),
  'memory.max': knob('memory', ['memory.max', '50000000'], ['memory.limit_in_bytes', '50000000']),
  'memory.low': knob('memory', ['memory.low', '1048576'], ['memory.soft_limit_in_bytes', '1048576']),
  'memory.min': knob('memory', ['memory.min', '1048576'], undefined),
  'memory.high': knob('memory', ['memory.high', '20000000'], undefined),
  'pids.max': knob('pids', ['pids.max', '33'], ['pids.max', '33']),
  // Within the parent's list, and around the child's.
  'cpuset.cpus': (world) => {
    const value = world.path.endsWith('/box') ? '0' : '1';
    return knob('cpuset', ['cpuset.cpus', value], ['cpuset.cpus', value])(world);
  },
  'cpuset.mems': knob('cpuset', ['cpuset.mems', '\n'], undefined),
  'cgroup.freeze': knob('core', ['cgroup.freeze', '1'], ['freezer.state', 'FROZEN']),
};

const devices: Mutator = ({ box, path }) => {
  if (mode === 'v1') {
    write(`${box.cgroupDir('devices', path)}/devices.deny`, 'c 1:7 rwm');
    return;
  }
  const rules = [{ allow: true, type: 'c', major: 1, minor: 3, access: 'rw' }] as const;
  loadNative().deviceProgramReplace(box.cgroupDir('unified', path), compileRules(rules), 'by_hand');
};

/** Somebody removes the directory from one hierarchy; only where there are several. */
const hierarchies: Mutator = ({ box, path }) => {
  const dir = box.cgroupDir('blkio', path);
  for (const pid of readFileSync(`${dir}/cgroup.procs`, 'utf8')
    .split('\n')
    .filter((p) => p !== '')) {
    write(`${box.cgroupDir('blkio', '').replace(/\/tsbox-test.*$/, '')}/cgroup.procs`, pid);
  }
  rmdirSync(dir);
};

function nsenterUts(target: string[], ...command: string[]): void {
  execFileSync('nsenter', [...target, '--', ...command]);
}

const IMMUTABLE = 'nobody can change it from outside while the process lives';
const RECORDED = 'the kernel does not show it: compared with the record on the object';

/** Programs and files of the network are edited by hand in network-tag.test.ts. */
const NETWORK = Object.fromEntries(NETWORK_ATTRIBUTES.map((a) => [a.name, 'edited by hand in network-tag.test.ts']));

const MUTATORS: Readonly<Record<string, Readonly<Record<string, Mutator | string>>>> = {
  cgroup: {
    ...KNOBS,
    ...NETWORK,
    devices,
    hierarchies,
    adopted: 'edited by hand in adopt.test.ts: no cgroup of this stack is adopted',
  },
  namespace: {
    type: IMMUTABLE,
    pin: ({ box }) => void execFileSync('umount', ['-l', `${box.runDir}/${STACK}/ns/names`]),
    keeper: ({ box }) => {
      const own = execFileSync('pgrep', ['-f', `tsbox: ${STACK}/namespace procs`], { encoding: 'utf8' })
        .trim()
        .split('\n')
        .filter((pid) => readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(`${box.cgroupRoot}/`));
      process.kill(Number(own[0]), 'SIGKILL');
    },
    hostname: ({ box }) => nsenterUts([`--uts=${box.runDir}/${STACK}/ns/names`], 'hostname', 'changed'),
    domainname: ({ box }) => nsenterUts([`--uts=${box.runDir}/${STACK}/ns/names`], 'domainname', 'changed.example'),
    sysctls: ({ box }) => editSysctl(`${box.runDir}/${STACK}/ns/wires`),
    uid_map: IMMUTABLE,
    gid_map: IMMUTABLE,
    setgroups: IMMUTABLE,
    'time.monotonic': IMMUTABLE,
    'time.boottime': IMMUTABLE,
  },
  volume: VOLUME_MUTATORS,
  container: {
    ...MOUNT_MUTATORS,
    ...KNOBS,
    ...NETWORK,
    ...Object.fromEntries(Object.keys(PROCESS_EDITS).map((name) => [name, 'edited by hand in process-drift.test.ts'])),
    devices,
    hierarchies,
    state: ({ pid }) => void process.kill(pid(), 'SIGKILL'),
    supervisor: ({ supervisor }) => void process.kill(supervisor(), 'SIGKILL'),
    placement: ({ box, pid }) => {
      const controller = mode === 'unified' ? 'unified' : 'pids';
      write(`${box.cgroupDir(controller, '').replace(/\/tsbox-test.*$/, '')}/cgroup.procs`, String(pid()));
    },
    hostname: ({ pid }) => nsenterUts(['-t', String(pid()), '-u'], 'hostname', 'changed'),
    domainname: ({ pid }) => nsenterUts(['-t', String(pid()), '-u'], 'domainname', 'changed.example'),
    sysctls: ({ pid }) => editSysctl(`/proc/${pid()}/ns/net`),
    restart: ({ box, path }) => {
      const dir = box.cgroupDir(mode === 'v1' ? 'freezer' : 'unified', path);
      const text = String(loadNative().getXattrs([dir], POLICY_XATTR)[0]);
      loadNative().setXattr(dir, POLICY_XATTR, text.replace('max=3', 'max=9'));
    },
    stop: ({ box, path }) => {
      const dir = box.cgroupDir(mode === 'v1' ? 'freezer' : 'unified', path);
      const text = String(loadNative().getXattrs([dir], POLICY_XATTR)[0]);
      loadNative().setXattr(dir, POLICY_XATTR, text.replace('signal=15', 'signal=9'));
    },
    ...SUPERVISION_EDITS,
    cgroup: RECORDED,
    rootfs: RECORDED,
    rootfs_idmap: IMMUTABLE,
    command: 'edited by hand in test/container/process-start.test.ts: healing replaces it',
    env: 'edited by hand in test/container/process-start.test.ts: healing replaces it',
    working_dir: RECORDED,
    user: IMMUTABLE,
    masked_paths: RECORDED,
    readonly_paths: RECORDED,
    log: RECORDED,
    capabilities: IMMUTABLE,
    no_new_privs: IMMUTABLE,
    seccomp: IMMUTABLE,
    uid_map: IMMUTABLE,
    gid_map: IMMUTABLE,
    setgroups: IMMUTABLE,
    'time.monotonic': IMMUTABLE,
    'time.boottime': IMMUTABLE,
    ...Object.fromEntries(
      ['user', 'mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup', 'time'].map((t) => [`namespace.${t}`, IMMUTABLE]),
    ),
  },
};

/** Which resource an attribute is tried on. */
const SUBJECT: Readonly<Record<string, (attribute: string) => string>> = {
  cgroup: () => 'cgroup/box',
  namespace: (attribute) =>
    `namespace/${attribute === 'keeper' ? 'procs' : attribute === 'sysctls' ? 'wires' : 'names'}`,
  container: () => 'container/app',
};

/** Edits that cannot be made without another: a directory is removed only after its process has left it. */
const ALSO: Readonly<Record<string, readonly string[]>> = { hierarchies: ['placement', 'hierarchies'] };

interface Change {
  readonly address: string;
  readonly names: readonly string[];
}

/** Drifted attributes by address, from the machine format. */
function drifted(json: string): Change[] {
  const items = (JSON.parse(json) as { items: Array<{ address: string; attribute: string }> }).items;
  const byAddress = new Map<string, string[]>();
  for (const item of items) {
    byAddress.set(item.address, [...(byAddress.get(item.address) ?? []), item.attribute]);
  }
  return [...byAddress].map(([address, names]) => ({ address, names }));
}

let box: Sandbox;
let file: string;
let before: Awaited<ReturnType<typeof snapshot>>;

interface Row {
  name: string;
  pid: number | null;
}

async function rows(): Promise<Row[]> {
  const { stdout } = await box.tsbox('ps', '--json', '--stack', STACK);
  return JSON.parse(stdout) as Row[];
}

async function pids(): Promise<{ app: number; member: number }> {
  const list = await rows();
  return {
    app: list.find((r) => r.name === 'app')?.pid ?? 0,
    member: list.find((r) => r.name === 'member')?.pid ?? 0,
  };
}

function supervisorOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

test.before(async () => {
  before = await snapshot();
  box = await sandbox('drift');
  file = box.write('stack.yaml', YAML);
  const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
  assert.is(applied.code, 0, applied.stderr + applied.stdout);
});

test.after(async () => {
  try {
    const destroyed = await box.tsbox('destroy', '-f', file, '--auto-approve');
    assert.is(destroyed.code, 0, destroyed.stderr);
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
});

test('every attribute has a mutator or a reason', () => {
  for (const kind of KINDS) {
    for (const name of kind.attributes.keys()) {
      assert.ok(MUTATORS[kind.kind]?.[name] !== undefined, `${kind.kind} ${name} has neither a mutator nor a reason`);
    }
  }
});

/** Why a mutator cannot run on this machine, if so. */
function impossibleHere(kind: string, attribute: string): string | undefined {
  if ((attribute === 'memory.min' || attribute === 'memory.high') && mode !== 'unified') {
    return 'cgroup v1 has no such limit';
  }
  if (attribute === 'hierarchies' && mode === 'unified') {
    return 'there is one hierarchy only: without its directory the resource itself is missing';
  }
  if (attribute === 'cpuset.mems') {
    return 'there is one memory node here, so no other value exists';
  }
  if (attribute === 'devices' && kind === 'cgroup' && mode === 'v1') {
    return 'devices.list of v1 does not show what was taken out of a cgroup that allows everything';
  }
  if (attribute === 'hierarchies' && kind === 'cgroup') {
    return 'the directory has children; tried on the leaf';
  }
  return undefined;
}

for (const kind of KINDS) {
  for (const name of kind.attributes.keys()) {
    const mutate = MUTATORS[kind.kind]?.[name];
    if (typeof mutate !== 'function' || impossibleHere(kind.kind, name) !== undefined) {
      continue;
    }
    test(`${kind.kind} ${name}: shown exactly, healed, gone`, async () => {
      const address = SUBJECT[kind.kind]?.(name) ?? '';
      const path = address === 'cgroup/box' ? `${STACK}/box` : `${STACK}/box/app`;
      const was = await pids();
      await mutate({ box, path, pid: () => was.app, supervisor: () => supervisorOf(was.app) });
      if (name === 'state') {
        // The supervisor restarts it by policy; what is left to see is a process that has gone for good.
        await new Promise((resolve) => setTimeout(resolve, 1500));
        const again = await pids();
        assert.ok(again.app !== 0 && again.app !== was.app, 'the supervisor restarted it');
        return;
      }
      const drift = await box.tsbox('drift', '-f', file, '--format', 'json');
      assert.is(drift.code, 2, drift.stdout + drift.stderr);
      const changes = drifted(drift.stdout);
      assert.equal(
        changes,
        [{ address, names: kind.kind === 'container' ? (ALSO[name] ?? [name]) : [name] }],
        drift.stdout,
      );
      if (!GUEST) {
        const plan = await box.tsbox('plan', '-f', file, '--detailed-exitcode');
        assert.is(plan.code, 2);
        assert.match(plan.stdout, name);
      }
      const healed = await box.tsbox('apply', '-f', file, '--auto-approve');
      assert.is(healed.code, 0, healed.stderr + healed.stdout);
      const now = await pids();
      assert.is(now.app, was.app, 'healing did not restart the container');
      if (!GUEST) {
        assert.is((await box.tsbox('drift', '-f', file)).code, 0);
      }
    });
  }
}

test('a process put into the cgroup is named, and moved out again', async () => {
  const stranger = spawn('sleep', ['60']);
  try {
    write(`${box.cgroupDir('pids', `${STACK}/box/app`)}/cgroup.procs`, String(stranger.pid));
    const drift = await box.tsbox('drift', '-f', file);
    assert.is(drift.code, 2);
    assert.match(drift.stdout, `process ${stranger.pid} (sleep)`);
    const healed = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(healed.code, 0, healed.stderr);
    assert.not.match(
      readFileSync(`${box.cgroupDir('pids', `${STACK}/box/app`)}/cgroup.procs`, 'utf8'),
      new RegExp(`^${stranger.pid}$`, 'm'),
    );
    assert.is(stranger.exitCode, null, 'it was moved, not killed');
  } finally {
    stranger.kill('SIGKILL');
  }
});

if (mode === 'hybrid') {
  test('a freeze by the v1 freezer is seen beside the v2 one, and thawed', async () => {
    write(`${box.cgroupDir('freezer', `${STACK}/box`)}/freezer.state`, 'FROZEN');
    const drift = await box.tsbox('drift', '-f', file, '--format', 'json');
    assert.equal(drifted(drift.stdout), [{ address: 'cgroup/box', names: ['cgroup.freeze'] }]);
    const healed = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(healed.code, 0, healed.stderr);
    assert.match(readFileSync(`${box.cgroupDir('freezer', `${STACK}/box`)}/freezer.state`, 'utf8'), 'THAWED');
  });
}

test('a missing resource is drift', async () => {
  const was = await pids();
  process.kill(supervisorOf(was.member), 'SIGKILL');
  process.kill(was.member, 'SIGKILL');
  await new Promise((resolve) => setTimeout(resolve, 300));
  const drift = await box.tsbox('drift', '-f', file);
  assert.is(drift.code, 2, drift.stdout);
  assert.match(drift.stdout, 'container/member');
  assert.is((await box.tsbox('apply', '-f', file, '--auto-approve')).code, 0);
  assert.is((await pids()).app, was.app, 'only the dead one was started');
});

test.run();
