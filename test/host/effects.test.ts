/**
 * What limits do, measured from outside: shares and bandwidth of the processor, memory, disks, numbers of processes,
 * freezing, and what children inherit. Each case applies a stack of real containers and reads the kernel's own counters.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { exists, hierarchies, layout, procStatus, sandbox, startTime } from '../support/sandbox.ts';
import { pause, until } from '../support/wait.ts';

type Sandbox = Awaited<ReturnType<typeof sandbox>>;

const STACK = 'effects';
const GUEST = process.env['TSBOX_GUEST'] === '1';
const SPIN = '[sh, -c, "while :; do :; done"]';

interface World {
  readonly box: Sandbox;
  /** Applies the stack with this text after its first lines; what it made is destroyed at the end. */
  apply(text: string): Promise<string>;
  pidOf(container: string): Promise<number>;
  stateOf(container: string): Promise<string>;
  /** Directory of a path of the stack in the hierarchy that holds the controller. */
  dir(controller: string, path: string): string;
  read(controller: string, path: string, file: string): string;
}

function effect(name: string, body: (world: World) => Promise<void>): void {
  test(name, async () => {
    const before = await snapshot();
    const box = await sandbox('effects');
    const rows = async (): Promise<Array<{ name: string; pid: number | null; state: string }>> =>
      JSON.parse((await box.tsbox('ps', '--json', '--stack', STACK)).stdout) as never;
    const dir = (controller: string, path: string): string => box.cgroupDir(controller, `${STACK}/${path}`);
    const world: World = {
      box,
      async apply(text) {
        const file = box.write('stack.yaml', `tsbox: 1\nname: ${STACK}\n${text}`);
        const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
        assert.is(applied.code, 0, applied.stderr + applied.stdout);
        return file;
      },
      pidOf: async (container) => (await rows()).find((r) => r.name === container)?.pid ?? 0,
      stateOf: async (container) => (await rows()).find((r) => r.name === container)?.state ?? 'none',
      dir,
      read: (controller, path, file) => readFileSync(`${dir(controller, path)}/${file}`, 'utf8'),
    };
    try {
      await body(world);
      const destroyed = await box.tsbox('destroy', '--stack', STACK, '--auto-approve');
      assert.is(destroyed.code, 0, destroyed.stderr);
    } finally {
      await box.cleanup();
    }
    assertNoLeaks(before, await snapshot());
  });
}

/** What this machine cannot show at all is shown in the guest, where leaving it out is a skip. */
function leaveOut(name: string, reason: string): void {
  console.log(`# ${GUEST ? 'SKIP' : 'not here:'} effects: ${name}: ${reason}`);
}

/** A number of a flat keyed file ('key 123'). */
function counter(text: string, key: string): number {
  const value = new RegExp(`^${key} (\\d+)$`, 'm').exec(text)?.[1];
  assert.ok(value !== undefined, `no ${key} in ${text}`);
  return Number(value);
}

/** Processor time that a cgroup and all below it have used, in microseconds. */
function cpuUsage(world: World, path: string): number {
  return layout() === 'unified'
    ? counter(world.read('cpu', path, 'cpu.stat'), 'usage_usec')
    : Number(world.read('cpuacct', path, 'cpuacct.usage')) / 1000;
}

/** Fractions of one processor that each path used during `ms`. */
async function usedFractions(world: World, ms: number, ...paths: string[]): Promise<number[]> {
  const began = performance.now();
  const before = paths.map((p) => cpuUsage(world, p));
  await pause(ms);
  const took = (performance.now() - began) * 1000;
  return paths.map((p, i) => (cpuUsage(world, p) - (before[i] ?? 0)) / took);
}

/**
 * A measured rate within a tolerance of the limit. Never above; a machine that is busy elsewhere may keep it below for
 * a while, so that is looked at several times.
 */
async function holds(limit: number, tolerance: number, measure: () => Promise<number>): Promise<void> {
  let last = 0;
  for (let attempt = 0; attempt < 8; attempt++) {
    last = await measure();
    assert.ok(last < limit * (1 + tolerance), `${last} is above ${limit}`);
    if (last > limit * (1 - tolerance)) {
      return;
    }
  }
  throw new Error(`${last} stays below ${limit}`);
}

const oomKills = (world: World, path: string): number =>
  layout() === 'unified'
    ? counter(world.read('memory', path, 'memory.events'), 'oom_kill')
    : counter(world.read('memory', path, 'memory.oom_control'), 'oom_kill');

const SIGUSR1 = 10;

/** Sends a signal that the shell in the container has a trap for, once it has. */
async function prod(pid: number): Promise<void> {
  await until('the trap', () => {
    const caught = BigInt(`0x${procStatus(pid).get('SigCgt') ?? '0'}`);
    return ((caught >> BigInt(SIGUSR1 - 1)) & 1n) === 1n;
  });
  process.kill(pid, 'SIGUSR1');
}

/** Takes memory without end, some KiB at a time, once it is told to. */
const HOG = '[sh, -c, "trap \'exec tail /dev/zero\' USR1; while :; do sleep 0.1; done"]';

const SEVERAL_SECONDS = 4000;

effect('weights 100 and 300 on one processor share it 1:3', async (world) => {
  await world.apply(`
containers:
  light: { command: ${SPIN}, cpuset: { cpus: "0" }, cpu: { weight: 100 } }
  heavy: { command: ${SPIN}, cpuset: { cpus: "0" }, cpu: { weight: 300 } }
`);
  const [light = 0, heavy = 0] = await usedFractions(world, 5000, 'light', 'heavy');
  assert.ok(light > 0.01 && light + heavy < 1.1, `${light} and ${heavy} of one processor`);
  const ratio = heavy / light;
  assert.ok(ratio > 2.7 && ratio < 3.3, `the ratio is ${ratio}`);
});

effect('cpu.max holds, and its change in place holds for the same process', async (world) => {
  const stack = (max: string): string => `containers:\n  busy: { command: ${SPIN}, cpu: { max: ${max} } }\n`;
  await world.apply(stack('25%'));
  const pid = await world.pidOf('busy');
  const started = startTime(pid);
  const measure = async (): Promise<number> => (await usedFractions(world, SEVERAL_SECONDS, 'busy'))[0] ?? 0;
  await holds(0.25, 0.1, measure);
  await world.apply(stack('50%'));
  await holds(0.5, 0.1, measure);
  assert.is(await world.pidOf('busy'), pid);
  assert.is(startTime(pid), started);
  assert.ok(counter(world.read('cpu', 'busy', 'cpu.stat'), 'nr_throttled') > 0);
});

/** User processes with their start times; kernel threads come and go by themselves. */
function userProcesses(): Set<string> {
  const all = readdirSync('/proc').filter((n) => /^\d+$/.test(n));
  return new Set(
    all.flatMap((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return fields[1] === '2' || pid === '2' || fields[0] === 'Z'
          ? []
          : [`${pid} ${fields[19]} ${stat}`.split(' ', 2).join(' ')];
      } catch {
        return [];
      }
    }),
  );
}

effect('a memory hog is killed alone', async (world) => {
  const file = await world.apply(`
containers:
  hog: { command: ${HOG}, memory: { max: 32MiB } }
  sibling: { command: [sleep, "1000"], memory: { max: 32MiB } }
`);
  const hog = await world.pidOf('hog');
  const sibling = await world.pidOf('sibling');
  // Elsewhere than in the guest other people's processes end whenever they like: there only those count that must stay.
  const mine = [1, process.pid, sibling].map((pid) => `${pid} ${startTime(pid)}`);
  const before = GUEST ? userProcesses() : new Set(mine);
  const gone = (): string[] => {
    const now = userProcesses();
    return [...before].filter((p) => !now.has(p));
  };
  await prod(hog);
  await until('the kill', async () => (await world.stateOf('hog')) === 'killed (SIGKILL)');
  const missing = gone().filter((p) => !p.startsWith(`${hog} `));
  for (const entry of missing) {
    // The hog's own supervisor has nothing more to do, and the shell's last sleep went with its pid namespace.
    assert.not.equal(entry, `${sibling} ${startTime(sibling)}`);
  }
  assert.ok(missing.length <= (GUEST ? 2 : 0), `gone as well: ${missing.join(', ')}`);
  assert.is(await world.stateOf('sibling'), 'running');
  assert.is(oomKills(world, 'hog'), 1);
  assert.is(oomKills(world, 'sibling'), 0);
  const plan = await world.box.tsbox('plan', '-f', file);
  assert.match(plan.stdout, /state\s+killed by SIGKILL -> running/);
  assert.not.match(plan.stdout, 'container/sibling');
});

interface Disk {
  readonly node: string;
  /** Name in /sys/block. */
  readonly name: string;
  detach(): void;
}

/** A disk nobody else uses: the guest's scratch disk, else a loop device on a file; why not, when there is none. */
function scratchDisk(): Disk | string {
  if (GUEST && exists('/dev/vda')) {
    return { node: '/dev/vda', name: 'vda', detach: () => undefined };
  }
  const image = join('/tmp', `tsbox-test-${process.pid}-disk.img`);
  writeFileSync(image, '');
  const made = spawnSync('sh', ['-c', `truncate -s 256M ${image} && losetup --find --show ${image}`], {
    encoding: 'utf8',
  });
  const node = made.stdout.trim();
  if (made.status !== 0 || node === '') {
    spawnSync('rm', ['-f', image]);
    return `no loop device can be had: ${made.stderr.trim()}`;
  }
  const detach = (): void => void spawnSync('sh', ['-c', `losetup --detach ${node}; rm -f ${image}`]);
  return { node, name: node.slice('/dev/'.length), detach };
}

/** Bytes read and written since boot, from the block layer itself (Documentation/block/stat.rst). */
function transferred(disk: Disk): { read: number; written: number } {
  const fields = readFileSync(`/sys/block/${disk.name}/stat`, 'utf8').trim().split(/\s+/).map(Number);
  return { read: (fields[2] ?? 0) * 512, written: (fields[6] ?? 0) * 512 };
}

const disk = scratchDisk();
if (typeof disk === 'string') {
  leaveOut('io.max', disk);
} else {
  const MIB = 1024 * 1024;
  const loop = (copy: string): string =>
    `[sh, -c, "while :; do busybox dd ${copy} bs=64k count=4000 2>/dev/null; done"]`;
  for (const [name, key, limit, copy] of [
    ['written', 'wbps', 4 * MIB, `if=/dev/zero of=${disk.node} oflag=direct conv=notrunc`],
    ['read', 'rbps', 8 * MIB, `if=${disk.node} of=/dev/null iflag=direct`],
  ] as const) {
    effect(`io.max: bytes ${name} per second`, async (world) => {
      const stack = (rate: number): string => `
containers:
  mover:
    command: ${loop(copy)}
    namespaces: { mnt: host }
    devices: [ { allow: /dev/null rw }, { allow: /dev/zero r }, { allow: ${disk.node} rw } ]
    io: { ${disk.node}: { ${key}: ${rate} } }
`;
      await world.apply(stack(limit));
      const measure = async (): Promise<number> => {
        const began = performance.now();
        const before = transferred(disk);
        await pause(SEVERAL_SECONDS);
        return ((transferred(disk)[name] - before[name]) * 1000) / (performance.now() - began);
      };
      await pause(1000);
      await holds(limit, 0.2, measure);
      await world.apply(stack(limit / 2));
      await pause(1000);
      await holds(limit / 2, 0.2, measure);
    });
  }
}

effect('a fork bomb stops at pids.max and the machine stays usable', async (world) => {
  const file = await world.apply(`
containers:
  bomb:
    command: [sh, -c, "b() { sleep 1000 & b & b & wait; }; trap 'b & exec sleep 1000' USR1; while :; do sleep 0.1; done"]
    pids: { max: 30 }
    cpu: { max: 50% }
`);
  await prod(await world.pidOf('bomb'));
  const current = (): number => Number(world.read('pids', 'bomb', 'pids.current'));
  const refused = (): number => counter(world.read('pids', 'bomb', 'pids.events'), 'max');
  let most = 0;
  await until('the limit', () => {
    most = Math.max(most, current());
    return refused() > 0;
  });
  for (let i = 0; i < 20; i++) {
    assert.is(spawnSync('true').status, 0, 'the machine cannot fork');
    most = Math.max(most, current());
  }
  assert.ok(most > 10 && most <= 30, `${most} processes`);
  const destroyed = await world.box.tsbox('destroy', '-f', file, '--auto-approve');
  assert.is(destroyed.code, 0, destroyed.stderr);
  assert.not.ok(existsSync(world.dir('pids', 'bomb')));
});

effect('a frozen tree uses no processor time, and goes on when thawed', async (world) => {
  const stack = (freeze: boolean): string =>
    `cgroups:\n  cold: { freeze: ${freeze} }\ncontainers:\n  busy: { command: ${SPIN}, cgroup: cold, cpu: { max: 50% } }\n`;
  await world.apply(stack(false));
  const pid = await world.pidOf('busy');
  const path = 'cold/busy';
  const usage = (): number => cpuUsage(world, path);
  const first = usage();
  await until('work', () => usage() > first);
  await world.apply(stack(true));
  const frozen = usage();
  await pause(1000);
  assert.is(usage(), frozen);
  await world.apply(stack(false));
  await until('work after the thaw', () => usage() > frozen);
  assert.is(await world.pidOf('busy'), pid);
});

/** Its command line, or nothing where the process has ended. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

effect('children forked after a limit was set are in the same cgroup and count', async (world) => {
  const stack = (max: number): string => `
containers:
  family:
    command: [sh, -c, "trap 'family & exec sleep 1000' USR1; family() { while :; do sleep 1000 & sleep 0.02; done; }; while :; do sleep 0.1; done"]
    pids: { max: ${max} }
`;
  await world.apply(stack(100));
  const pid = await world.pidOf('family');
  await world.apply(stack(12));
  assert.is(await world.pidOf('family'), pid);
  await prod(pid);
  await until('a refused fork', () => counter(world.read('pids', 'family', 'pids.events'), 'max') > 0);
  const current = Number(world.read('pids', 'family', 'pids.current'));
  assert.ok(current > 5 && current <= 12, `${current} processes`);
  const own = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  const members = world.read('pids', 'family', 'cgroup.procs').trim().split('\n').map(Number);
  assert.ok(members.length > 5 && members.includes(pid), members.join(' '));
  const lasting = members.filter((member) => commandOf(member) === 'sleep 1000');
  assert.ok(lasting.length > 4, `${lasting.length} of ${members.length} last`);
  for (const member of lasting) {
    assert.is(readFileSync(`/proc/${member}/cgroup`, 'utf8'), own);
  }
});

effect('a limit of a cgroup holds the sum of the containers in it', async (world) => {
  await world.apply(`
cgroups:
  tenant: { cpu: { max: 40% }, memory: { max: 48MiB } }
containers:
  one: { command: ${SPIN}, cgroup: tenant }
  two: { command: ${SPIN}, cgroup: tenant }
  hog: { command: ${HOG}, cgroup: tenant }
`);
  await holds(0.4, 0.1, async () => {
    const [sum = 0, one = 0, two = 0] = await usedFractions(
      world,
      SEVERAL_SECONDS,
      'tenant',
      'tenant/one',
      'tenant/two',
    );
    assert.ok(one > 0.05 && two > 0.05, `one of them starves: ${one}, ${two}`);
    return sum;
  });
  // It has no limit of its own.
  await prod(await world.pidOf('hog'));
  await until('the kill', async () => (await world.stateOf('hog')) === 'killed (SIGKILL)');
  assert.is(await world.stateOf('one'), 'running');
});

if (layout() !== 'unified') {
  leaveOut('memory.high and memory.oom.group', `the memory controller is on cgroup v1 here (${layout()})`);
} else {
  effect('memory.high throttles and does not kill', async (world) => {
    await world.apply(`containers:\n  hog: { command: ${HOG}, memory: { high: 24MiB, max: 1GiB } }\n`);
    const pid = await world.pidOf('hog');
    await prod(pid);
    const high = (): number => counter(world.read('memory', 'hog', 'memory.events'), 'high');
    await until('the throttle', () => high() > 5);
    const current = (): number => Number(world.read('memory', 'hog', 'memory.current'));
    const before = current();
    await pause(3000);
    const grown = current() - before;
    // Unthrottled it would take gigabytes in that time, and the limit would kill it.
    assert.ok(grown < 64 * 1024 * 1024, `it grew by ${grown}`);
    assert.is(oomKills(world, 'hog'), 0);
    assert.is(await world.pidOf('hog'), pid);
  });

  effect('memory.oom.group ends all of it at once, and without it only the hog', async (world) => {
    const container = (group: boolean): string =>
      `{ command: [sh, -c, "sleep 1001 & sleep 1002 & trap 'tail /dev/zero; exec sleep 1003' USR1; while :; do sleep 0.1; done"], namespaces: { pid: host }, memory: { max: 32MiB, oom: { group: ${group} } } }`;
    await world.apply(`containers:\n  together: ${container(true)}\n  apart: ${container(false)}\n`);
    const members = (name: string): number =>
      world
        .read('memory', name, 'cgroup.procs')
        .split('\n')
        .filter((l) => l !== '').length;
    const apart = await world.pidOf('apart');
    await prod(apart);
    await prod(await world.pidOf('together'));
    await until('both kills', () => oomKills(world, 'together') > 0 && oomKills(world, 'apart') > 0);
    await until('the end of the group', () => members('together') === 0);
    assert.is(counter(world.read('memory', 'together', 'memory.events'), 'oom_group_kill'), 1);
    assert.ok(oomKills(world, 'together') >= 4, 'every member is counted');
    assert.is(oomKills(world, 'apart'), 1);
    assert.is(await world.pidOf('apart'), apart);
    assert.is(members('apart'), 3);
  });
}

test.after(() => {
  if (typeof disk !== 'string') {
    disk.detach();
  }
  assert.ok(hierarchies().length > 0);
});

test.run();
