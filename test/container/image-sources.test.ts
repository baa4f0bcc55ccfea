/** Where an image may be and how it is named: saved archives, digests, indexes in indexes, platforms, when it is fetched. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { OTHER_ARCHITECTURE, busyboxLayer, sha256, tar, writeImage } from '../support/image.ts';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { sandbox, type Run, type Sandbox } from '../support/sandbox.ts';

const STACK = 'sources';

async function inBox(body: (box: Sandbox) => Promise<void>): Promise<void> {
  const before = await snapshot();
  const box = await sandbox('sources');
  try {
    writeFileSync(join(box.dir, 'base.tar'), busyboxLayer(join(box.dir, 'base')));
    await body(box);
    for (const stack of [STACK, 'other']) {
      assert.is((await box.tsbox('destroy', '--stack', stack, '--auto-approve')).code, 0);
    }
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
}

function stackOf(box: Sandbox, name: string, ...containers: readonly string[]): string {
  const text = containers.map((c, i) => `  c${i}: { ${c}, command: [sleep, "1000"] }\n`).join('');
  return box.write(`${name}.yaml`, `tsbox: 1\nname: ${name}\ncontainers:\n${text}`);
}

async function apply(box: Sandbox, file: string): Promise<Run> {
  const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
  assert.is(applied.code, 0, applied.stderr + applied.stdout);
  assert.is((await box.tsbox('plan', '-f', file, '--detailed-exitcode')).code, 0);
  return applied;
}

async function pids(box: Sandbox): Promise<number[]> {
  const { stdout } = await box.tsbox('ps', '--json', '--stack', STACK);
  return (JSON.parse(stdout) as Array<{ pid: number }>).map((r) => r.pid);
}

function build(box: Sandbox, layout: string, tag: string, note = tag, architecture?: string): string {
  const layers = [
    { tar: readFileSync(join(box.dir, 'base.tar')), as: 'tar' as const },
    { tar: tar([{ name: 'note', data: note }]), as: 'tar' as const },
  ];
  return writeImage(join(box.dir, layout), tag, layers, {}, architecture).digest;
}

interface Index {
  schemaVersion: number;
  manifests: Array<{ mediaType: string; digest: string; size: number; annotations?: Record<string, string> }>;
}

/** Puts what a layout's index has into an index below it, `depth` times. */
function nest(layout: string, tag: string, depth: number): string {
  const file = join(layout, 'index.json');
  let index = JSON.parse(readFileSync(file, 'utf8')) as Index;
  for (let i = 0; i < depth; i++) {
    const bytes = Buffer.from(JSON.stringify(index));
    const digest = sha256(bytes);
    writeFileSync(join(layout, 'blobs/sha256', digest.slice(7)), bytes);
    const mediaType = 'application/vnd.oci.image.index.v1+json';
    index = { schemaVersion: 2, manifests: [{ mediaType, digest, size: bytes.length }] };
  }
  const [top] = index.manifests;
  if (top !== undefined) {
    top.annotations = { 'org.opencontainers.image.ref.name': tag };
  }
  writeFileSync(file, JSON.stringify(index));
  return top?.digest ?? '';
}

/** What `docker save` writes of one image. */
function saved(box: Sandbox): void {
  const dir = join(box.dir, 'saved');
  const layers = [readFileSync(join(box.dir, 'base.tar')), tar([{ name: 'note', data: 'saved' }])];
  mkdirSync(dir);
  const names = layers.map((bytes, i) => {
    mkdirSync(join(dir, `layer${i}`));
    writeFileSync(join(dir, `layer${i}/layer.tar`), bytes);
    return `layer${i}/layer.tar`;
  });
  const config = Buffer.from(
    JSON.stringify({ os: 'linux', rootfs: { type: 'layers', diff_ids: layers.map(sha256) }, config: { Env: ['A=b'] } }),
  );
  const name = `${sha256(config).slice(7)}.json`;
  writeFileSync(join(dir, name), config);
  writeFileSync(
    join(dir, 'manifest.json'),
    JSON.stringify([{ Config: name, RepoTags: ['example.org/app:v1'], Layers: names }]),
  );
  execFileSync('tar', ['-C', dir, '-cf', join(box.dir, 'saved.tar'), '.']);
}

test('saved archives, digests, indexes in indexes, platforms, and a root with ids of its own', async () => {
  await inBox(async (box) => {
    saved(box);
    build(box, 'layout', 'v1', 'ours');
    const other = build(box, 'layout', 'v1', 'theirs', OTHER_ARCHITECTURE);
    const first = build(box, 'layout', 'v2');
    build(box, 'deep', 'v1', 'deep');
    const index = nest(join(box.dir, 'deep'), 'v1', 3);
    const map = 'namespaces: { user: { uids: [{ inside: 0, outside: 200000, count: 65536 }] } }';
    const file = stackOf(
      box,
      STACK,
      'image: "docker-archive:saved.tar:example.org/app:v1"'.replace('example.org/app:v1', 'v1'),
      `image: "oci:./layout@${first}"`,
      `image: "oci:./deep@${index}"`,
      `rootfs: { image: "oci:./layout:v1", platform: linux/${OTHER_ARCHITECTURE} }`,
      `rootfs: { image: "oci:./layout:v1" }, ${map}`,
    );
    const planned = await box.tsbox('plan', '-f', file);
    assert.match(planned.stdout, `layout:v1@${other}`);
    await apply(box, file);
    const running = await pids(box);
    const notes = running.map((pid) => readFileSync(`/proc/${pid}/root/note`, 'utf8'));
    assert.equal(notes, ['saved', 'v2', 'deep', 'theirs', 'ours']);
    assert.ok(readFileSync(`/proc/${running[0]}/environ`, 'utf8').includes('A=b'));
    // Files of id 0 in the image are id 0 inside, which is 200000 out here.
    const [, , , , mapped] = running;
    assert.match(readFileSync(`/proc/${mapped}/status`, 'utf8'), /^Uid:\t200000/m);
    assert.is(statSync(`/proc/${mapped}/root/note`).uid, 200000);
    assert.equal(
      readdirSync(join(box.dir, 'var/layers/sha256')).map(
        (k) => statSync(join(box.dir, 'var/layers/sha256', k, '.')).uid,
      ),
      Array.from({ length: 6 }, () => 0),
      'and the layers on disk stay as they are, one of them for all',
    );

    nest(join(box.dir, 'deep'), 'v1', 3);
    const deeper = await box.tsbox('plan', '-f', stackOf(box, 'other', 'image: "oci:./deep:v1"'));
    assert.match(deeper.stderr, /indexes stand in each other more than 4 deep/);
    const wrong = `image: "oci:./layout@sha256:${'0'.repeat(64)}"`;
    assert.match((await box.tsbox('plan', '-f', stackOf(box, 'other', wrong))).stderr, /no image sha256:0{64} for/);
  });
});

/** A PATH with a skopeo of ours, and without what is named. */
function path(box: Sandbox, without: readonly string[], skopeo?: string): NodeJS.ProcessEnv {
  const bin = join(box.dir, `bin-${without.join('')}`);
  mkdirSync(bin, { recursive: true });
  for (const name of ['tar', 'zstd', 'xz', 'skopeo', 'cp', 'mkdir', 'sh', 'mv', 'cat'].filter(
    (n) => !without.includes(n),
  )) {
    const found = spawnSync('which', [name], { encoding: 'utf8' }).stdout.trim();
    if (found !== '' && !existsSync(join(bin, name)) && (name !== 'skopeo' || skopeo === undefined)) {
      symlinkSync(found, join(bin, name));
    }
  }
  if (skopeo !== undefined) {
    writeFileSync(join(bin, 'skopeo'), skopeo);
    chmodSync(join(bin, 'skopeo'), 0o755);
  }
  return { ...box.env, PATH: bin };
}

test('pull: missing, never and always; and programs that are not there are named with their package', async () => {
  await inBox(async (box) => {
    build(box, 'remote', 'v1', 'first');
    // What skopeo does, as far as tsbox sees: a layout, and the blobs in the shared directory. It counts its calls.
    const fake = `#!/bin/sh
echo call >> ${box.dir}/calls
for last; do :; done
for a in "$@"; do [ "$previous" = --dest-shared-blob-dir ] && blobs=$a; previous=$a; done
to=\${last#oci:}; to=\${to%:image}
mkdir -p $to $blobs/sha256
cp ${box.dir}/remote/index.json $to/index.json
cp ${box.dir}/remote/blobs/sha256/* $blobs/sha256/
`;
    const env = path(box, [], fake);
    const tsbox = (...args: readonly string[]): Promise<Run> =>
      box.run(process.execPath, [join(process.cwd(), 'dist/tsbox'), ...args], env);
    const calls = (): number =>
      existsSync(join(box.dir, 'calls')) ? readFileSync(join(box.dir, 'calls'), 'utf8').split('\n').length - 1 : 0;
    const file = (pull: string, target = 'v1'): string =>
      stackOf(box, STACK, `rootfs: { image: "docker://localhost:1/app:${target}", pull: ${pull} }`);
    const never = await tsbox('apply', '-f', file('never'), '--auto-approve');
    assert.is(never.code, 1);
    assert.match(never.stderr, /is not fetched, and pull: never says not to/);
    assert.is(calls(), 0);
    const run = async (pull: string): Promise<string> => {
      const applied = await tsbox('apply', '-f', file(pull), '--auto-approve');
      assert.is(applied.code, 0, applied.stderr + applied.stdout);
      return readFileSync(`/proc/${(await pids(box))[0]}/root/note`, 'utf8');
    };
    const stop = async (): Promise<void> =>
      assert.is((await box.tsbox('destroy', '--stack', STACK, '--auto-approve')).code, 0);
    assert.is(await run('missing'), 'first');
    assert.is(calls(), 1);
    await stop();
    build(box, 'remote', 'v1', 'second');
    assert.is(await run('missing'), 'first');
    await stop();
    assert.is(await run('never'), 'first');
    assert.is(calls(), 1, 'what is there is not fetched again');
    await stop();
    assert.is(await run('always'), 'second');
    assert.is(calls(), 2);
    assert.is((await tsbox('plan', '-f', file('always'), '--detailed-exitcode')).code, 0, 'a plan fetches nothing');
    assert.is(calls(), 2);

    const missing = async (program: string, container: string, message: RegExp): Promise<void> => {
      const stack = stackOf(box, 'other', container);
      const args = [join(process.cwd(), 'dist/tsbox'), 'apply', '-f', stack, '--auto-approve'];
      const ran = await box.run(process.execPath, args, path(box, [program]));
      assert.is(ran.code, 1, ran.stdout);
      assert.match(ran.stderr, message);
      const doctor = await box.run(process.execPath, [args[0] ?? '', 'doctor'], path(box, [program]));
      assert.match(
        doctor.stdout,
        new RegExp(`limited +${program} +not on the PATH: [^\\n]*\\n +apt install ${program}`),
      );
    };
    const image = 'rootfs: { image: "docker://localhost:1/none:v1" }';
    await missing('skopeo', image, /TSB3009[^]*skopeo is not on this machine[^]*apt install skopeo/);
    writeFileSync(join(box.dir, 'x.tar.zst'), Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0, 0]));
    await missing('zstd', 'rootfs: { tar: x.tar.zst }', /TSB3009[^]*zstd is not on this machine[^]*apt install zstd/);
  });
});

test('two applies at once unpack each layer once; a plan over images writes nothing', async () => {
  await inBox(async (box) => {
    build(box, 'layout', 'v1');
    const files = [STACK, 'other'].map((name) => stackOf(box, name, 'image: "oci:./layout:v1"'));
    const said = await Promise.all(files.map((f) => box.tsbox('apply', '-f', f, '--auto-approve')));
    const unpacked = said.map((r) => {
      assert.is(r.code, 0, r.stderr);
      return Number(/(\d) of 2 layers unpacked/.exec(r.stderr)?.[1]);
    });
    assert.is((unpacked[0] ?? 0) + (unpacked[1] ?? 0), 2, unpacked.join(' and '));
    assert.equal(readdirSync(join(box.dir, 'var/layers/partial')), []);

    // By its system calls: nothing is opened for writing, made, renamed or removed but what /proc and /dev/null take.
    const trace = join(box.dir, 'trace');
    const calls =
      'open,openat,openat2,creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,rmdir,setxattr,mount';
    const args = ['-f', '-qq', '-o', trace, '-e', `trace=${calls}`, process.execPath];
    const plan = [join(process.cwd(), 'dist/tsbox'), 'plan', '-f', files[0] ?? ''];
    const ran = await box.run('strace', [...args, ...plan], { ...box.env, NODE_COMPILE_CACHE: '' });
    assert.is(ran.code, 0, ran.stderr);
    const writing = readFileSync(trace, 'utf8')
      .split('\n')
      .filter((l) => /O_WRONLY|O_RDWR|O_CREAT|^\d+ +(creat|mkdir|rename|unlink|rmdir|setxattr|mount)/.test(l))
      .filter((l) => !/"\/dev\/(null|tty)"|= -1 E|"\/proc\/self\//.test(l));
    assert.equal(writing, []);
  });
});

test.run();
