/** The init description's binary form and the texts that come back, without running anything. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TsboxError } from '../../src/errors.ts';
import { encodeInitSpec } from '../../src/kernel/init-encode.ts';
import { parseReport } from '../../src/kernel/init-report.ts';
import { parseRunState, runStateText } from '../../src/kernel/run-state.ts';
import { policyText } from '../../src/kernel/init-spec.ts';
import type { InitSpec, SuperviseSpec } from '../../src/kernel/init-spec.ts';
import type { RunState } from '../../src/kernel/run-state.ts';

interface Rec {
  readonly tag: number;
  readonly payload: Buffer;
}

/** An independent reader of the documented layout. */
function decode(bytes: Uint8Array): { mode: number; records: Rec[] } {
  const b = Buffer.from(bytes);
  assert.is(b.toString('latin1', 0, 4), 'TSBX');
  assert.is(b.readUInt32LE(4), 1);
  assert.is(b.readUInt32LE(12), b.length);
  const records: Rec[] = [];
  let at = 16;
  while (at < b.length) {
    assert.is(at % 4, 0);
    const n = b.readUInt32LE(at + 4);
    assert.ok(at + 8 + n <= b.length);
    records.push({ tag: b.readUInt32LE(at), payload: b.subarray(at + 8, at + 8 + n) });
    at += 8 + ((n + 3) & ~3);
  }
  assert.is(at, b.length);
  return { mode: b.readUInt32LE(8), records };
}

/** The strings of a payload that holds nothing else. */
function strings(payload: Buffer): string[] {
  const out: string[] = [];
  for (let at = 0; at < payload.length;) {
    const n = payload.readUInt32LE(at);
    out.push(payload.toString('utf8', at + 4, at + 4 + n));
    assert.is(payload[at + 4 + n], 0);
    at += 5 + n;
  }
  return out;
}

const all = (records: readonly Rec[], tag: number): Buffer[] =>
  records.filter((r) => r.tag === tag).map((r) => r.payload);

const base: SuperviseSpec = {
  mode: 'supervise',
  title: 'tsbox: a/b',
  labelDir: '/cg',
  runXattr: 'trusted.tsbox.run',
  policyXattr: 'trusted.tsbox.policy',
  healthXattr: 'h',
  probeXattr: 'p',
  historyXattr: 'e',
  mailbox: '/m',
  supervisorProcs: ['/v1/a', '/v1/b'],
  cgroup: '/cg',
  cgroupProcs: ['/v1/c'],
  namespaces: {
    create: ['mnt', 'time', 'pid'],
    join: [{ type: 'net', path: '/proc/7/ns/net', startTime: '99' }],
    uidMap: '0 1 2\n',
    gidMap: '3 4 5\n',
    setgroups: 'deny',
    timeOffsets: 'boottime 1 0\n',
    hostname: 'höst',
    domainname: '',
  },
  root: [
    { op: 'root-overlay', lower: ['/l1', '/l2'], upper: '/u', work: '/w', nosuid: true },
    { op: 'bind', source: '/s', target: '/t', recursive: true, create: 'file', ro: true, noexec: true },
    { op: 'mknod', target: '/dev/null', type: 'c', major: 1, minor: 3, mode: 0o666 },
    { op: 'root-readonly' },
  ],
  process: {
    argv: ['a', 'b c', ''],
    env: ['PATH=/bin'],
    cwd: '/',
    uid: 1,
    gid: 4294967294,
    groups: [5, 6],
    umask: -1,
    capabilities: { bounding: 1n << 40n, permitted: 0xffffffffffffffffn, effective: 0n, inheritable: 2n, ambient: 3n },
    noNewPrivs: true,
    seccomp: new Uint8Array(16).fill(7),
  },
  log: { path: '/log', maxBytes: 2 ** 40, files: 3 },
  policy: { policy: 'on-failure', max: 4, backoffMs: 100, backoffMaxMs: 1000, stopSignal: 15, graceMs: 10000 },
  adopt: { pid: 12, startTime: '34', restarts: 5 },
};

test('idmapped mounts: a bit on the op, and a record for maps of its own', () => {
  const idmap = { maps: { uidMap: '0 7 1', gidMap: '0 8 1' }, recursive: true } as const;
  const { records } = decode(
    encodeInitSpec({
      ...base,
      root: [
        { op: 'root-bind', source: '/r', recursive: false, idmap: { maps: 'container', recursive: false } },
        { op: 'bind', source: '/s', target: '/t', recursive: true, create: 'none', idmap },
      ],
    }),
  );
  assert.equal(
    all(records, 12).map((op) => op.readUInt32LE(4)),
    [256, 16 | 512],
  );
  const maps = all(records, 50);
  assert.is(maps.length, 1);
  assert.is(maps[0]?.readUInt32LE(0), 1);
  assert.equal(strings(maps[0]?.subarray(4) ?? Buffer.alloc(0)), ['0 7 1', '0 8 1']);
});

test('a whole description survives the round trip', () => {
  const { mode, records } = decode(encodeInitSpec(base));
  assert.is(mode, 1);
  assert.equal(all(records, 1).map(strings), [['tsbox: a/b']]);
  assert.equal(all(records, 2).map(strings), [['/cg', 'trusted.tsbox.run', 'trusted.tsbox.policy']]);
  assert.equal(all(records, 81).map(strings), [['h', 'p', 'e']]);
  assert.equal(all(records, 80).map(strings), [['/m']]);
  assert.equal(all(records, 3).map(strings), [['/v1/a'], ['/v1/b']]);
  assert.equal(all(records, 5).map(strings), [['/v1/c']]);
  assert.is(all(records, 6)[0]?.readUInt32LE(0), (1 << 1) | (1 << 7) | (1 << 2));
  assert.is(all(records, 7)[0]?.readUInt32LE(0), 3);
  assert.equal(strings(all(records, 7)[0]?.subarray(4) ?? Buffer.alloc(0)), ['/proc/7/ns/net', '99']);
  assert.equal(all(records, 10).map(strings), [['höst', '']]);
  assert.is(all(records, 11)[0]?.readUInt32LE(0), 1);
  assert.equal(all(records, 13).map(strings), [['a'], ['b c'], ['']]);
  const process = all(records, 15)[0] ?? Buffer.alloc(0);
  assert.is(process.readUInt32LE(6 + 8), 0xffffffff);
  assert.is(process.readBigUInt64LE(6 + 16), 1n << 40n);
  assert.is(process.readBigUInt64LE(6 + 24), 0xffffffffffffffffn);
  assert.equal([...(all(records, 16)[0] ?? [])], [5, 0, 0, 0, 6, 0, 0, 0]);
  assert.is(all(records, 17)[0]?.length, 16);
  const ops = all(records, 12);
  assert.equal(
    ops.map((op) => op.readUInt32LE(0)),
    [2, 3, 7, 11],
  );
  assert.equal(
    ops.map((op) => op.readUInt32LE(4)),
    [2, 1 | 8 | 16 | 64, 0, 0],
  );
  assert.is(ops[2]?.readUInt32LE(8), 0o666);
  assert.is(ops[2]?.readUInt32LE(12), 'c'.charCodeAt(0));
});

test('every mode has its number, and lists may be long', () => {
  const ns = base.namespaces;
  const specs: InitSpec[] = [
    base,
    { mode: 'exec', title: '', cgroup: '', cgroupProcs: [], namespaces: ns, process: base.process, tty: true },
    { mode: 'pin', title: '', type: 'time', target: '/t', namespaces: ns, cgroupProcs: [] },
    { mode: 'uts-read', paths: Array.from({ length: 5000 }, (_, i) => `/proc/${i}/ns/uts`) },
    { mode: 'uts-write', path: '/p', hostname: null, domainname: 'x' },
  ];
  assert.equal(
    specs.map((s) => decode(encodeInitSpec(s)).mode),
    [1, 2, 3, 4, 5],
  );
  assert.is(all(decode(encodeInitSpec(specs[3] as InitSpec)).records, 23).length, 5000);
  const write = decode(encodeInitSpec(specs[4] as InitSpec)).records;
  assert.is(all(write, 24).length, 0);
  assert.equal(all(write, 25).map(strings), [['x']]);
});

test('a loopback that is not wanted', () => {
  const { records } = decode(encodeInitSpec({ ...base, namespaces: { ...base.namespaces, loopback: false } }));
  assert.is(all(records, 11)[0]?.readUInt32LE(0), 0);
});

test('what the kernel could not take is refused here', () => {
  const refused = (spec: InitSpec, code: string): void => {
    try {
      encodeInitSpec(spec);
    } catch (e) {
      assert.instance(e, TsboxError);
      assert.is((e as TsboxError).code, code);
      return;
    }
    assert.unreachable('it was encoded');
  };
  refused({ ...base, title: 'a\0b' }, 'TSB3002');
  refused({ ...base, process: { ...base.process, argv: ['sh', '-c', 'x\0y'] } }, 'TSB3002');
  refused({ ...base, root: [{ op: 'mask', target: '/proc\0' }] }, 'TSB3002');
  refused({ ...base, process: { ...base.process, uid: 2 ** 32 } }, 'TSB9002');
  refused({ ...base, process: { ...base.process, gid: -1 } }, 'TSB9002');
  refused({ ...base, log: { ...base.log, maxBytes: -1 } }, 'TSB9002');
  refused({ ...base, policy: { ...base.policy, graceMs: Number.NaN } }, 'TSB9002');
});

test('reports', () => {
  const ok = parseReport('ok pid=12 start=345 supervisor=11 sstart=344\n');
  assert.ok(ok.ok);
  assert.equal({ ...ok.fields }, { pid: '12', start: '345', supervisor: '11', sstart: '344' });
  const pinned = parseReport('ok pid=0 start=\n');
  assert.ok(pinned.ok);
  assert.is(pinned.fields['start'], '');
  assert.equal(parseReport('error step=mount errno=1 path=/proc with blanks errno=3\n'), {
    ok: false,
    step: 'mount',
    errno: 1,
    path: '/proc with blanks errno=3',
  });
  assert.equal(parseReport('error step=spec errno=22 path=\n'), { ok: false, step: 'spec', errno: 22, path: '' });
  for (const broken of ['', 'ok pid=12', 'error step=mo', 'ok pid=1\nok pid=2\n']) {
    const r = parseReport(broken);
    if (r.ok) throw new Error(`taken for a report: ${broken}`);
    assert.equal([r.step, r.errno], ['report', 0]);
  }
});

test('run states', () => {
  const s: RunState = {
    state: 'running',
    pid: 5,
    startTime: '77',
    supervisor: 4,
    supervisorStartTime: '76',
    exit: -1,
    signal: 0,
    restarts: 2,
    sinceMs: 1700000000000,
  };
  assert.equal(parseRunState(runStateText(s)), s);
  const none: RunState = { ...s, state: 'stopped', pid: 0, startTime: '', exit: 137, signal: 9 };
  assert.equal(parseRunState(runStateText(none)), none);
  const text = runStateText(s);
  for (let n = 0; n < text.length - 12; n++) assert.is(parseRunState(text.slice(0, n)), undefined, text.slice(0, n));
  for (const bad of [
    'state=dancing',
    'state=__proto__',
    text.replace('pid=5', 'pid=x'),
    text.replace('start=77', 'start=-7'),
  ]) {
    assert.is(parseRunState(bad), undefined, bad);
  }
});

test('the policy text names every field', () => {
  assert.is(policyText(base.policy), 'restart=on-failure max=4 backoff=100 backoff_max=1000 signal=15 grace=10000');
});

test.run();
