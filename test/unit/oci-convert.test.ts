/** From config.json to a stack: values, and everything that is told instead. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { convertBundle, literal } from '../../src/stack/oci/convert.ts';
import { baseConfig, type OciConfig } from '../support/bundles.ts';

type Out = Record<string, unknown>;

function convert(edit: (config: OciConfig & Out) => void): { container: Out; notes: string[] } {
  const config = baseConfig() as OciConfig & Out;
  edit(config);
  const { stack, notes } = convertBundle(JSON.stringify(config), '/bundle', 'x', (path) =>
    path === '/dev/fuse' ? { type: 'c', major: 10, minor: 229 } : undefined,
  );
  return {
    container: (stack['containers'] as Record<string, Out>)['x'] ?? {},
    notes: notes.map((n) => `${n.field}: ${n.text}`),
  };
}

test('a plain bundle says nothing but what differs from the defaults of the language', () => {
  const { container, notes } = convert(() => undefined);
  assert.equal(container, {
    rootfs: { dir: '/bundle/rootfs', overlay: false },
    command: ['/bin/sh', '/probe'],
    env: { PATH: '/bin' },
    no_new_privs: true,
    namespaces: { uts: { hostname: 'bundle' } },
    masked_paths: [],
    readonly_paths: [],
    seccomp: 'unconfined',
  });
  assert.equal(notes, ["mounts[1].options: /dev: 'strictatime' has no word in the stack language"]);
});

test('resources: every limit by its key', () => {
  const { container, notes } = convert((c) => {
    c.linux.resources = {
      memory: { limit: 100_000_000, reservation: 50_000_000, swap: 150_000_000 },
      cpu: { shares: 2048, quota: 50_000, period: 100_000, burst: 1000, cpus: '0-1', mems: '0', idle: 0 },
      pids: { limit: 77 },
      blockIO: {
        weight: 500,
        weightDevice: [{ major: 8, minor: 0, weight: 10 }],
        throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1000 }],
        throttleWriteIOPSDevice: [{ major: 8, minor: 16, rate: 9 }],
      },
      hugepageLimits: [{ pageSize: '2MB', limit: 4_194_304 }],
      network: { classID: 0x100001, priorities: [{ name: 'eth0', priority: 5 }] },
      rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 1000 } },
      unified: { 'memory.high': '90000000', 'cpu.max': '20000 50000', 'io.max': '8:0 wbps=5', 'no.such': '1' },
    };
  });
  assert.equal(container['memory'], { max: 100_000_000, low: 50_000_000, swap: { max: 50_000_000 }, high: 90_000_000 });
  assert.equal(container['cpu'], { weight: 200, max: '20000us/50000us', burst: '1000us' });
  assert.equal(container['cpuset'], { cpus: '0-1', mems: '0' });
  assert.equal(container['pids'], { max: 77 });
  assert.equal(container['io'], { weight: 4950, '8:0': { weight: 1, rbps: 1000, wbps: 5 }, '8:16': { wiops: 9 } });
  assert.equal(container['hugetlb'], { '2MiB': { max: 4_194_304 } });
  assert.equal(container['network_tag'], { mark: 0x100001, priority: 5 });
  assert.equal(container['rdma'], { mlx5_1: { hca_handle: 3, hca_object: 1000 } });
  assert.ok(
    notes.some((n) => /unified: no\.such is no file/.test(n)) &&
      notes.some((n) => /priorities: holds on every interface/.test(n)),
  );
});

test('what a stack does not do is told by its field', () => {
  const { notes } = convert((c) => {
    c.process['user'] = { username: 'x' };
    c.process['commandLine'] = 'x';
    c.process['execCPUAffinity'] = { initial: '0', final: '1' };
    c.linux.resources = {
      memory: {
        kernel: 1,
        kernelTCP: 1,
        useHierarchy: true,
        checkBeforeUpdate: true,
        swappiness: 5,
        disableOOMKiller: true,
      },
      cpu: { realtimePeriod: 1, realtimeRuntime: 1 },
      blockIO: { leafWeight: 10 },
    };
    Object.assign(c.linux, {
      rootfsPropagation: 'slave',
      mountLabel: 'l',
      intelRdt: { closID: 'x' },
      memoryPolicy: { mode: 'MPOL_BIND' },
      netDevices: { eth0: {} },
      devices: [
        { path: '/dev/x', type: 'p' },
        { path: '/dev/fuse', type: 'c', major: 1, minor: 1 },
      ],
    });
    c['windows'] = {};
    c['solaris'] = {};
  });
  for (const field of [
    'process.user.username',
    'process.commandLine',
    'process.execCPUAffinity',
    'linux.resources.memory.kernel',
    'linux.resources.memory.kernelTCP',
    'linux.resources.memory.useHierarchy',
    'linux.resources.memory.checkBeforeUpdate',
    'linux.resources.memory.swappiness',
    'linux.resources.memory.disableOOMKiller',
    'linux.resources.cpu.realtimePeriod',
    'linux.resources.cpu.realtimeRuntime',
    'linux.resources.blockIO.leafWeight',
    'linux.rootfsPropagation',
    'linux.mountLabel',
    'linux.intelRdt',
    'linux.memoryPolicy',
    'linux.netDevices',
    'linux.devices[0].type',
    'linux.devices[1].path',
    'windows',
    'solaris',
  ]) {
    assert.ok(
      notes.some((n) => n.startsWith(`${field}: `)),
      `${field} is not told in\n${notes.join('\n')}`,
    );
  }
});

test('device rules keep their order, and a node is made where the host has it and a rule allows it', () => {
  const { container } = convert((c) => {
    c.linux['devices'] = [{ path: '/dev/fuse', type: 'c', major: 10, minor: 229 }];
    c.linux.resources = {
      devices: [
        { allow: false },
        { allow: true, type: 'c', major: 10, access: 'rw' },
        { allow: false, type: 'c', major: 10, minor: 1, access: 'w' },
      ],
    };
  });
  assert.equal((container['devices'] as unknown[]).slice(0, 3), [
    { allow: 'c 10:* rw' },
    { deny: 'c 10:1 w' },
    { allow: '/dev/fuse rw' },
  ]);
});

test('numbers of 64 bits, wrong types, no JSON', () => {
  assert.throws(
    () => convertBundle('{', '/b', 'x', () => undefined),
    (e: Error) => e instanceof SyntaxError,
  );
  assert.throws(
    () => convertBundle('{"ociVersion":"1.0.0","process":{"args":"no list"}}', '/b', 'x', () => undefined),
    /process\.args is not a list of texts/,
  );
  assert.equal(literal({ a: ['$x', '${y}'] }), { a: ['$$x', '$${y}'] });
  const { stack } = convertBundle(
    '{"ociVersion":"1.0.0","process":{"args":["12345678901234567890"],"cwd":"/","oomScoreAdj":0},"linux":{"resources":{"memory":{"limit":9007199254740991}}}}',
    '/b',
    'x',
    () => undefined,
  );
  assert.equal(((stack['containers'] as Record<string, Out>)['x'] as Out)['command'], ['12345678901234567890']);
});

test('a type of namespace named twice is told, and the first one taken', () => {
  const { container, notes } = convert((c) => {
    Object.assign(c.linux, {
      namespaces: [{ type: 'mount' }, { type: 'ipc' }, { type: 'ipc', path: '/proc/1/ns/ipc' }],
    });
  });
  assert.is((container['namespaces'] as Record<string, unknown>)['ipc'], undefined);
  assert.ok(
    notes.some((n) => /namespaces\[2\]\.type.*is there before/.test(n)),
    notes.join('\n'),
  );
});

test('labels of security modules and the policy of memory', () => {
  const { container, notes } = convert((c) => {
    Object.assign(c.process, { apparmorProfile: 'web', selinuxLabel: 'u:r:t:s0' });
    Object.assign(c.linux, {
      memoryPolicy: { mode: 'MPOL_BIND', nodes: '0-1', flags: ['MPOL_F_STATIC_NODES'] },
    });
  });
  assert.not.ok(notes.some((n) => /apparmor|selinux|memoryPolicy/.test(n)));
  assert.is(container['apparmor'], 'web');
  assert.is(container['selinux'], 'u:r:t:s0');
  assert.equal(container['memory_policy'], { mode: 'bind', nodes: '0-1', flags: ['static_nodes'] });
});

test.run();
