/** Canonical values and records of what a process asks for itself. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeInitSpec } from '../../src/kernel/init-encode.ts';
import type { KernelReader } from '../../src/kernel/reader.ts';
import type { PolicyAnswer } from '../../src/kernel/selinux.ts';
import {
  checkConfine,
  confinementOf,
  confineOf,
  liveConfine,
  securityModules,
} from '../../src/resources/container/process/confine.ts';
import { landlockRules, landlockSchema, missingRights } from '../../src/resources/container/process/landlock.ts';
import { memoryPolicyNumbers, memoryPolicySchema } from '../../src/resources/container/process/memory-policy.ts';
import type { Label } from '../../src/resources/label.ts';

const landlock = landlockSchema.parse({
  files: { '/usr': ['read', 'execute'], '/tmp': 'all' },
  tcp: { bind: [80, 8080, 80], connect: [] },
  scopes: ['signal'],
});

test('Landlock: one text for one meaning, masks as linux/landlock.h has them', () => {
  assert.is(landlock['files /usr'], 'execute read_dir read_file');
  assert.is(landlock['tcp.bind'], '80 8080');
  assert.is(landlock['tcp.connect'], 'none');
  const rules = landlockRules(landlock, 7);
  assert.equal(rules, {
    files: 0xffff,
    net: 3,
    scoped: 2,
    paths: [
      { path: '/usr', access: 0b1101 },
      { path: '/tmp', access: 0xffff },
    ],
    ports: [
      { port: 80, access: 1 },
      { port: 8080, access: 1 },
    ],
  });
});

test('Landlock of an older kernel: what is missing is named, and left out only where that is asked for', () => {
  const names = (abi: number): string[] => missingRights(landlock, abi).map(([name]) => name);
  assert.equal(names(6), []);
  assert.equal(names(4), ['ioctl_dev', 'scope signal']);
  assert.equal(names(2), ['ioctl_dev', 'truncate', 'tcp.bind', 'tcp.connect', 'scope signal']);
  assert.is(landlockRules(landlock, 2)?.files, 0xffff, 'the kernel is to refuse it');
  const best = landlockRules({ ...landlock, best_effort: 'true' }, 2);
  assert.equal([best?.files, best?.net, best?.scoped, best?.ports], [0x3fff, 0, 0, []]);
  assert.is(landlockRules({ ...landlock, best_effort: 'true' }, -95), undefined);
  const narrow = landlockSchema.parse({ files: { '/': 'all' }, handled: ['read', 'execute'] });
  assert.equal(missingRights(narrow, 1), []);
  assert.is(landlockRules(narrow, 1)?.paths[0]?.access, 0b1101);
});

test('memory policies as set_mempolicy(2) takes them', () => {
  const numbers = (input: unknown) => memoryPolicyNumbers(memoryPolicySchema.parse(input));
  assert.equal(numbers('local'), { mode: 4, nodes: [] });
  assert.equal(numbers({ mode: 'bind', nodes: '0-1,66', flags: ['static_nodes'] }), {
    mode: 0x8002,
    nodes: [0, 1, 66],
  });
  assert.equal(numbers({ mode: 'preferred_many', nodes: 1, flags: ['numa_balancing'] }), { mode: 0x2005, nodes: [1] });
});

test('records: labels where each module wants them, the nodes as words', () => {
  const confinement = confinementOf(
    { ...confineOf({ apparmor: 'web', selinux: 'u:r:t:s0', memory_policy: 'bind 0-1,66', core_sched: true }) },
    () => 7,
    'own',
  );
  assert.equal(confinement.labels, [
    { file: 'apparmor/exec', label: 'exec web' },
    { file: 'exec', label: 'u:r:t:s0' },
  ]);
  const text = Buffer.from(
    encodeInitSpec({
      mode: 'exec',
      title: 't',
      cgroup: '',
      cgroupProcs: [],
      tty: false,
      namespaces: {
        create: [],
        join: [],
        uidMap: '',
        gidMap: '',
        setgroups: 'allow',
        timeOffsets: '',
        hostname: '',
        domainname: '',
      },
      process: {
        argv: ['x'],
        env: [],
        cwd: '/',
        uid: 0,
        gid: 0,
        groups: [],
        umask: 0,
        capabilities: { bounding: 0n, permitted: 0n, effective: 0n, inheritable: 0n, ambient: 0n },
        noNewPrivs: true,
        seccomp: new Uint8Array(),
        confinement,
      },
    }),
  );
  const memory = Buffer.alloc(28);
  memory.writeUInt32LE(114, 0);
  memory.writeUInt32LE(20, 4);
  memory.writeUInt32LE(2, 8);
  memory.writeBigUInt64LE(3n, 12);
  memory.writeBigUInt64LE(4n, 20);
  assert.ok(text.includes(memory));
  assert.ok(text.includes(Buffer.from([115, 0, 0, 0, 4, 0, 0, 0, 255, 255, 255, 255])));
  assert.equal(
    confinementOf({}, () => 7, 'own'),
    { labels: [] },
  );
});

/** A machine of which only these files are known. */
const machine = (files: Record<string, string>, answer: PolicyAnswer = 'not told'): KernelReader =>
  ({
    readFiles: (paths: readonly string[]) => paths.map((p) => files[p] ?? -2),
    landlockAbi: () => 2,
    selinuxLabel: () => answer,
    release: '6.1.0',
  }) as unknown as KernelReader;

test('a label of SELinux is what the policy makes of it, and an error where it makes nothing of it', () => {
  const ask = (answer: PolicyAnswer): { label: string; told: string[] } => {
    const told: string[] = [];
    const spec = checkConfine(
      confineOf({ selinux: 'u:r:t:s0:c2,c1' }),
      machine({ '/proc/filesystems': 'nodev\tselinuxfs\n' }, answer),
      'container/a',
      (p) => told.push(`${p.severity}: ${p.error.message}`),
      () => undefined,
    );
    return { label: spec.selinux, told };
  };
  assert.equal(ask({ label: 'u:r:t:s0:c1,c2' }), { label: 'u:r:t:s0:c1,c2', told: [] });
  assert.equal(ask('not told'), { label: 'u:r:t:s0:c2,c1', told: [] });
  assert.equal(ask('unknown').told, ['error: container/a: the policy knows no label u:r:t:s0:c2,c1']);
  assert.equal(ask('no policy').told, ['error: container/a: no policy of SELinux is loaded']);
});

test('labels: an error where the module is not enabled, compared with what /proc shows where it is', () => {
  const spec = confineOf({ apparmor: 'web', selinux: 'u:r:t:s0' });
  const told: string[] = [];
  const tell = (reader: KernelReader): number => {
    told.length = 0;
    checkConfine(
      spec,
      reader,
      'container/a',
      (p) => told.push(p.error.message),
      () => undefined,
    );
    return told.length;
  };
  const both = machine({
    '/sys/module/apparmor/parameters/enabled': 'Y\n',
    '/proc/filesystems': 'nodev\tsysfs\nnodev\tselinuxfs\n',
  });
  assert.is(tell(both), 0);
  assert.is(
    tell(machine({ '/sys/module/apparmor/parameters/enabled': 'N\n', '/proc/filesystems': 'nodev\tsysfs\n' })),
    2,
  );
  assert.match(told[0] ?? '', 'AppArmor is not enabled in this kernel');
  assert.equal(securityModules(both), { apparmor: true, selinux: true });

  const label = { applied: { apparmor: 'web', selinux: 'u:r:t:s0' } } as unknown as Label;
  const live = (apparmor: string, selinux: string): unknown =>
    liveConfine(
      new Map([
        ['attr/apparmor/current', apparmor],
        ['attr/current', selinux],
      ]),
      label,
      undefined,
      () => undefined,
    );
  assert.equal(live('web (enforce)\n', 'u:r:t:s0\0'), { apparmor: 'web', selinux: 'u:r:t:s0' });
  assert.equal(live('unconfined\n', 'u:r:other:s0\0'), { apparmor: 'unconfined', selinux: 'u:r:other:s0' });
});

test('a profile that is not loaded, or only complains, is warned of', () => {
  const told: string[] = [];
  const list = 'web (enforce)\nlearning (complain)\n/usr/sbin/a b (enforce)\n';
  for (const apparmor of ['web', 'unconfined', 'web//&learning', 'absent', ':other:web', 'b']) {
    const files = { '/sys/module/apparmor/parameters/enabled': 'Y\n', '/sys/kernel/security/apparmor/profiles': list };
    checkConfine(
      confineOf({ apparmor }),
      machine(files),
      'c',
      (p) => told.push(`${p.severity} ${p.error.message}`),
      () => undefined,
    );
  }
  assert.equal(told, [
    'warning c: the profile learning complains, and denies nothing',
    'warning c: no profile absent of AppArmor is loaded',
    'warning c: no profile b of AppArmor is loaded',
  ]);
});

test('core scheduling groups: one of its own, or that of its supervisor', () => {
  const core = (own: string, supervisor: string): unknown =>
    liveConfine(new Map(), { applied: null } as unknown as Label, own, () => supervisor)['core_sched'];
  assert.is(core('0', '0'), 'shared');
  assert.is(core('7', '7'), 'shared');
  assert.is(core('7', '0'), 'own');
});

test.run();
