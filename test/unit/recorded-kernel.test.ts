/** Recording what a kernel answers, and answering from it. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseRecording, recordingText, type Recording } from '../../src/kernel/recorded/document.ts';
import { RecordedReader } from '../../src/kernel/recorded/reader.ts';
import { RecordingReader } from '../../src/kernel/recorded/recorder.ts';
import { withoutSecretTexts, withSecretTexts } from '../../src/kernel/recorded/secrets.ts';
import { cgroupLayout } from '../../src/kernel/layout.ts';
import type { KernelReader } from '../../src/kernel/reader.ts';

const CG = '/sys/fs/cgroup';
let moment = 0;

/** A machine that answers everything, and a batch otherwise at every call. */
const machine: KernelReader = {
  settings: {
    installation: 'here',
    cgroupRoot: '/tsbox',
    runDir: '/run/tsbox',
    stateDir: '/srv/state',
    subIds: [{ start: 1000, count: 5 }],
  },
  layout: cgroupLayout(`30 1 0:26 / ${CG} rw - cgroup2 cgroup2 rw`, () => 'cpu memory'),
  bootId: 'b00t',
  installation: 'here',
  release: '6.1.0',
  arch: 'x64',
  capabilities: 0x1ffffffffffn,
  readFiles: (paths) => paths.map((p) => (p.endsWith('gone') ? -2 : `${p} ${moment++} hunter2-hunter2`)),
  readInRoot: (_, paths) =>
    paths.map((p) => ({ ...stat, content: p === '/raw' ? Uint8Array.of(255, 0) : Buffer.from(`of ${p}`) })),
  readLinks: (paths) => paths.map((p) => `link ${p}`),
  stats: (paths) => paths.map(() => stat),
  walkDirs: (root) =>
    root.endsWith('none')
      ? -2
      : [
          { path: '', ino: 1 },
          { path: 'a', ino: 2 },
        ],
  list: () => ['one', 'two'],
  getXattrs: (paths, name) => paths.map((p) => `${name} of ${p}`),
  listXattrs: () => ['user.x'],
  namespaceIds: (paths) => paths.map(() => '42'),
  namespaceTypes: (paths) => paths.map(() => 'net'),
  namespaceOwners: (paths) => paths.map(() => -1),
  devicePrograms: (paths) => paths.map(() => [program]),
  effectiveDevicePrograms: (paths) => paths.map(() => [{ ...program, xlated: -1 }]),
  cgroupPrograms: (paths) => paths.map(() => -22),
  scheduling: (tids) => tids.map(() => scheduling),
  landlockAbi: () => 6,
  selinuxLabel: (label) => (label === 'u:r:t' ? { label } : 'unknown'),
  readUts: (paths) => Promise.resolve(paths.map((p) => (p === '/x' ? undefined : { hostname: 'h', domainname: '' }))),
  readSysctls: (groups) => Promise.resolve(groups.map((g) => g.entries.map(([key]) => `${key}=1`))),
  deviceAt: (path) => (path === '/dev/null' ? { type: 'c', major: 1, minor: 3 } : undefined),
  wholeDisk: () => '8:0',
  locate: (path) => (path === '/nowhere' ? undefined : { path, mount: 30, kind: 'dir' }),
  realPath: (path) => path,
  accountFile: () => 'root:x:0:0::/:\n',
  imageDirectory: (where) => files(where),
  imageArchive: (where) => files(where),
  packedFile: () => ({ size: 7, digest: 'sha256:0' }),
};
const stat = { dev: 1, ino: 2, mode: 0o40755, uid: 0, gid: 0, major: 0, minor: 0, nlink: 2 };
const program = { id: 1, name: 'p', tag: 'aa', attachFlags: 2, uid: 0, xlated: Uint8Array.of(183, 0, 200) };
const scheduling = {
  ...{ policy: 0, flags: 0, nice: 0, priority: 0, runtime: 0, deadline: 0, period: 0, ioprio: 4 },
  cpus: [0, 1],
  core: -22,
};
const files = (where: string): ReturnType<KernelReader['imageDirectory']> => ({
  where,
  file: (name) => (name === 'index.json' ? { path: `${where}/${name}`, start: 0, size: 2 } : undefined),
  read: () => Buffer.from('{}'),
});

/** One of every question. */
async function askAll(reader: KernelReader, home: string): Promise<unknown> {
  const index = reader.imageDirectory('/image');
  const entries = [['kernel.msgmax', '1']] as const;
  return [
    reader.readFiles(['/proc/1/stat', '/proc/gone', `${home}/file`]),
    reader.readInRoot('/proc/1/root', ['/etc/x', '/raw'], 10).map((f) => (typeof f === 'object' ? [...f.content] : f)),
    reader.readLinks(['/proc/1/ns/net']),
    reader.stats([CG]),
    reader.walkDirs(`${CG}/tsbox/s`, 10),
    reader.list('/proc'),
    reader.getXattrs([CG], 'trusted.x'),
    reader.listXattrs(CG),
    [reader.namespaceIds(['/n']), reader.namespaceTypes(['/n']), reader.namespaceOwners(['/n'])],
    [...reader.devicePrograms([CG]), ...reader.effectiveDevicePrograms([CG])].map((list) =>
      typeof list === 'number'
        ? list
        : list.map((p) => ({ ...p, xlated: typeof p.xlated === 'number' ? p.xlated : [...p.xlated] })),
    ),
    reader.cgroupPrograms([CG], 6),
    reader.scheduling([0, 7]),
    [reader.landlockAbi(), reader.selinuxLabel('u:r:t'), reader.selinuxLabel('x')],
    await reader.readUts(['/proc/1/ns/uts', '/x']),
    await reader.readSysctls([{ type: 'ipc', path: '', startTime: '', entries }]),
    [reader.deviceAt('/dev/null'), reader.deviceAt('/dev/x'), reader.wholeDisk('8:1'), reader.packedFile('/a.tar')],
    [reader.locate('/nowhere'), reader.realPath('/srv'), reader.accountFile(['/', '/lower'], 'passwd')],
    [index.file('index.json'), index.file('oci-layout'), String(index.read({ path: '/image/x', start: 0, size: 2 }))],
    reader.imageArchive('/i.tar').file('index.json'),
    [reader.settings, reader.layout.mode, reader.layout.primary, [...reader.layout.byController.keys()]],
    [reader.bootId, reader.release, reader.arch, reader.capabilities.toString()],
  ];
}

function recorded(recorder: RecordingReader): Recording {
  return parseRecording('x.kernel', recordingText(recorder.recording('/home/one')));
}

test('every question is answered as it was, through the file, in another directory too', async () => {
  const recorder = new RecordingReader(machine);
  const answers = await askAll(recorder, '/home/one');
  const reader = new RecordedReader(recorded(recorder), 'x.kernel', '/home/two');
  assert.equal(await askAll(reader, '/home/two'), answers);
});

test('the same answers make the same text, and the first of several stays', () => {
  const ask = (paths: readonly string[]): string => {
    moment = 0;
    const recorder = new RecordingReader(machine);
    paths.forEach((p) => recorder.readFiles([p]));
    return recordingText(recorder.recording('/'));
  };
  assert.is(ask(['/a', '/b', '/a']), ask(['/a', '/b']));
});

test('what nobody asked is an error that names it', () => {
  const reader = new RecordedReader(recorded(new RecordingReader(machine)), 'x.kernel', '/');
  const wrong = [
    [() => reader.readFiles(['/proc/7/stat']), 'files: /proc/7/stat'],
    [() => reader.deviceAt('/dev/fuse'), 'devices: /dev/fuse'],
    [() => reader.landlockAbi(), 'landlock abi'],
    [() => reader.imageDirectory('/i').file('index.json'), 'image files: /i index.json'],
  ] as const;
  for (const [ask, what] of wrong) {
    assert.throws(ask, (error: Error) => error.message === `the recorded kernel x.kernel was not asked for ${what}`);
  }
});

test('what a directory that was walked does not hold is not there', () => {
  const recorder = new RecordingReader(machine);
  recorder.walkDirs(`${CG}/tsbox/s`, 10);
  recorder.walkDirs(`${CG}/none`, 10);
  const reader = new RecordedReader(recorded(recorder), 'x.kernel', '/');
  assert.equal(reader.readFiles([`${CG}/tsbox/s/b/pids.max`, `${CG}/none/a/pids.max`]), [-2, -2]);
  assert.equal(reader.getXattrs([`${CG}/tsbox/s/b`], 'trusted.x'), [-2]);
  assert.is(reader.walkDirs(`${CG}/tsbox/s/b`), -2);
  assert.equal(reader.list(`${CG}/none`), []);
  recorder.walkDirs(`${CG}/cut`, 2);
  const cut = new RecordedReader(recorded(recorder), 'x.kernel', '/');
  assert.equal(cut.walkDirs(`${CG}/cut`), machine.walkDirs(`${CG}/cut`, 2));
  assert.throws(
    () => cut.readFiles([`${CG}/cut/b/pids.max`]),
    /was not asked/,
    'a walk that was cut short tells nothing',
  );
  // These may be there: files of a directory that was found, and what lies beside what was walked.
  assert.throws(() => reader.readFiles([`${CG}/tsbox/s/a/pids.max`]), /was not asked/);
  assert.throws(() => reader.readFiles([`${CG}/tsbox/s/pids.max`]), /was not asked/);
  assert.throws(() => reader.getXattrs([`${CG}/tsbox/sibling`], 'trusted.x'), /was not asked/);
});

test('a recording is widened to what a changed stack asks', () => {
  const recorder = new RecordingReader({ ...machine, list: () => ['pids.max', 'pids.current'] });
  recorder.walkDirs(`${CG}/tsbox/s`, 10);
  recorder.widen();
  const reader = new RecordedReader(recorded(recorder), 'x.kernel', '/');
  const files = [`${CG}/tsbox/pids.max`, `${CG}/tsbox/s/pids.current`, `${CG}/tsbox/s/a/pids.max`];
  assert.ok(reader.readFiles(files).every((text) => typeof text === 'string'));
  assert.is(reader.deviceAt('/dev/fuse'), undefined);
  assert.throws(() => reader.readFiles([`${CG}/pids.max`]), /was not asked/, 'the machine beside us is not read');
});

test('secrets are marked, and a replay puts its own in their places', () => {
  const recorder = new RecordingReader(machine);
  recorder.readFiles(['/proc/1/environ']);
  recorder.readInRoot('/proc/1/root', ['/run/secrets/a', '/run/secrets/b', '/etc/motd'], 10);
  const secrets = [
    { name: 'variable token', text: 'hunter2-hunter2' },
    { name: 'content of a', text: 'of /run/secrets/a' },
  ];
  const targets = new Set(['/run/secrets/a', '/run/secrets/b']);
  const digest = `secret:${'ab'.repeat(32)}`;
  const all = recorder.recording('/');
  const withDigest = { ...all, answers: { ...all.answers, xattrs: { label: digest } } };
  const written = recordingText(withoutSecretTexts(withDigest, secrets, targets));
  for (const gone of ['hunter2', 'of /run/secrets/a', 'of /run/secrets/b', digest]) {
    assert.not.ok(written.includes(gone), gone);
  }
  assert.ok(written.includes('of /etc/motd'));
  const ours = secrets.map((s) => ({ ...s, text: s.name === 'variable token' ? 'another' : s.text }));
  const replay = new RecordedReader(withSecretTexts(parseRecording('x', written), ours), 'x', '/');
  assert.match(String(replay.readFiles(['/proc/1/environ'])[0]), / another$/);
  const [a, b] = replay.readInRoot('/proc/1/root', ['/run/secrets/a', '/run/secrets/b']);
  assert.is(typeof a === 'object' ? String(Buffer.from(a.content)) : '', 'of /run/secrets/a');
  assert.is.not(typeof b === 'object' ? String(Buffer.from(b.content)) : '', 'of /run/secrets/b');
});

test('a secret that is a word of the marks comes back like any other', () => {
  const secrets = [
    { name: 'variable token', text: 'long-and-secret' },
    { name: 'variable word', text: 'variable' },
  ];
  const all = new RecordingReader(machine).recording('/');
  const held = { ...all, answers: { ...all.answers, xattrs: { label: 'a long-and-secret variable' } } };
  const written = withoutSecretTexts(held, secrets, new Set());
  assert.is(written.answers.xattrs?.['label'], 'a \u27e8secret variable token\u27e9 \u27e8secret variable word\u27e9');
  assert.equal(withSecretTexts(written, secrets), held);
});

test('what is no recording is refused with the place', () => {
  const text = recordingText(new RecordingReader(machine).recording('/'));
  const wrong = [
    ['{', 'it is not JSON'],
    ['[]', 'this is not a recorded kernel'],
    [text.replace('"tsbox_kernel": 1', '"tsbox_kernel": 2'), 'it has the format 2, this tsbox reads 1'],
    [text.replace('"release": "6.1.0"', '"release": 6'), 'release: '],
    [text.replace('"answers": {', '"answers": {"stats": {"/x": "text"}'), 'answers.stats./x: '],
  ] as const;
  for (const [content, what] of wrong) {
    assert.throws(
      () => parseRecording('x.kernel', content),
      (error: Error) => error.message.startsWith('x.kernel: ') && error.message.includes(what),
      what,
    );
  }
});

test.run();
