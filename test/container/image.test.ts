/** Real images: from a layout, archives and a registry on loopback; unpacked once, merged, compared by digest. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { busyboxLayer, OTHER_ARCHITECTURE, tar, writeImage } from '../support/image.ts';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { sandbox, type Sandbox } from '../support/sandbox.ts';
import { until } from '../support/wait.ts';

const has = (program: string): boolean => spawnSync(program, ['--version']).error === undefined;
const registry = has('skopeo') && has('docker-registry');
if (!registry) {
  console.log('# SKIP registry: skopeo and docker-registry are not both installed');
}

async function inBox(body: (box: Sandbox) => Promise<void>): Promise<void> {
  const before = await snapshot();
  const box = await sandbox('image');
  try {
    await body(box);
    assert.is((await box.tsbox('destroy', '--stack', 'pictures', '--auto-approve')).code, 0);
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
}

function stackOf(box: Sandbox, ...containers: readonly string[]): string {
  const text = containers.map((c, i) => `  c${i}: { ${c} }\n`).join('');
  return box.write('stack.yaml', `tsbox: 1\nname: pictures\ncontainers:\n${text}`);
}

async function apply(box: Sandbox, file: string): Promise<string> {
  const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
  assert.is(applied.code, 0, applied.stderr + applied.stdout);
  const again = await box.tsbox('plan', '-f', file, '--detailed-exitcode');
  assert.is(again.code, 0, again.stdout + again.stderr);
  return applied.stderr;
}

async function pidOf(box: Sandbox, name = 'c0'): Promise<number> {
  const rows = JSON.parse((await box.tsbox('ps', '--json', '--stack', 'pictures')).stdout) as Array<{
    name: string;
    pid: number;
  }>;
  return rows.find((r) => r.name === name)?.pid ?? 0;
}

function layers(box: Sandbox): string[] {
  const dir = join(box.dir, 'var/layers/sha256');
  return existsSync(dir)
    ? readdirSync(dir)
        .map((k) => `${k} ${statSync(join(dir, k)).ino}`)
        .sort()
    : [];
}

const CONFIG = {
  Entrypoint: ['/bin/sleep'],
  Cmd: ['1000'],
  Env: ['FROM=image', 'WORD=image'],
  User: 'web',
  WorkingDir: '/srv',
  StopSignal: 'SIGUSR1',
  Labels: { 'org.example.note': 'of the \u001b[31mimage' },
};

/** Two layers: the second hides a file, replaces a directory whole, and changes one file. */
function build(box: Sandbox, note = 'one'): ReturnType<typeof writeImage> {
  const base = join(box.dir, 'base');
  if (!existsSync(base)) {
    writeFileSync(join(box.dir, 'base.tar'), busyboxLayer(base));
  }
  const lower = tar([
    { name: 'etc/', type: '5', mode: 0o755 },
    { name: 'etc/passwd', data: 'web:x:1234:1235::/:/bin/sh\n' },
    { name: 'srv/', type: '5', mode: 0o1755, uid: 1234, gid: 1235 },
    { name: 'srv/hidden', data: 'x' },
    { name: 'srv/old/', type: '5' },
    { name: 'srv/old/a', data: 'a' },
  ]);
  const upper = tar([
    { name: 'srv/.wh.hidden' },
    { name: 'srv/old/.wh..wh..opq' },
    { name: 'srv/old/b', data: 'b' },
    { name: 'srv/note', data: note },
  ]);
  return writeImage(
    join(box.dir, 'layout'),
    'v1',
    [
      { tar: readFileSync(join(box.dir, 'base.tar')) },
      { tar: lower, as: 'tar' },
      { tar: upper, as: has('zstd') ? 'zstd' : 'gzip' },
    ],
    CONFIG,
  );
}

test('an OCI layout: merged, unpacked once, and a tag that moves is a change', async () => {
  await inBox(async (box) => {
    const built = build(box);
    writeImage(join(box.dir, 'layout'), 'v1', [{ tar: tar([{ name: 'x' }]) }], {}, OTHER_ARCHITECTURE);
    const file = stackOf(
      box,
      'image: "oci:./layout:v1", env: { WORD: stack }',
      'image: "oci:./layout:v1", command: [ "2000" ], user: 7:8',
    );
    const planned = await box.tsbox('plan', '-f', file);
    assert.match(planned.stdout, `layout:v1@${built.digest}`);
    assert.match(planned.stdout, 'unpacks 3 of 3 layers');
    assert.not.ok(existsSync(join(box.dir, 'var/layers')), 'a plan writes nothing');
    const said = await apply(box, file);
    assert.match(said, /3 of 3 layers unpacked, 0 there already|1 of 3 layers unpacked/);
    const pid = await pidOf(box);
    const root = `/proc/${pid}/root`;
    assert.is(readFileSync(`/proc/${pid}/cmdline`, 'utf8'), '/bin/sleep\x001000\0');
    const env = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    assert.ok(env.includes('FROM=image') && env.includes('WORD=stack'));
    assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), /^Uid:\t1234\t1234\t.*\nGid:\t1235/m);
    assert.equal(readdirSync(`${root}/srv`).sort(), ['note', 'old']);
    assert.equal(readdirSync(`${root}/srv/old`), ['b']);
    const srv = statSync(`${root}/srv`);
    assert.equal([srv.mode & 0o7777, srv.uid], [0o1755, 1234], 'a directory that a layer only implies is as below');
    assert.is(readFileSync(`/proc/${await pidOf(box, 'c1')}/cmdline`, 'utf8'), '/bin/sleep\x002000\0');
    const shown = await box.tsbox('show', 'container/c0', '-f', file);
    assert.match(
      shown.stdout,
      new RegExp(`image ${built.digest}:\\n +layers +3, .*\\n +Entrypoint +\\["/bin/sleep"\\]`),
    );
    assert.match(shown.stdout, /label +org\.example\.note=of the [^\x1b]*31mimage\n/);
    const { image } = JSON.parse((await box.tsbox('show', 'container/c0', '-f', file, '--json')).stdout) as {
      image: { labels: Record<string, string>; config: { User: string } };
    };
    assert.equal([image.labels, image.config.User], [CONFIG.Labels, 'web']);
    const first = layers(box);
    assert.is(first.length, 3);
    assert.is((await box.tsbox('destroy', '-f', file, '--auto-approve')).code, 0);
    assert.match(await apply(box, file), /image [0-9a-f]{12}: 0 of 3 layers unpacked, 3 there already/);
    assert.equal(layers(box), first);
    const moved = build(box, 'two');
    const replaced = await box.tsbox('plan', '-f', file);
    assert.match(replaced.stdout, new RegExp(`rootfs .*forces replacement[^]*@${built.digest}[^]*@${moved.digest}`));
    assert.match(await apply(box, file), '1 of 3 layers unpacked, 2 there already');
    assert.is(readFileSync(`/proc/${await pidOf(box)}/root/srv/note`, 'utf8'), 'two');
  });
});

test('archives: of a layout, and plain ones in any compression', async () => {
  await inBox(async (box) => {
    build(box);
    execFileSync('tar', ['-C', join(box.dir, 'layout'), '-cf', join(box.dir, 'image.tar'), '.']);
    const plain = join(box.dir, 'base.tar');
    execFileSync('gzip', ['-k', plain]);
    execFileSync('xz', ['-k0', plain]);
    const file = stackOf(
      box,
      'image: "oci-archive:image.tar:v1"',
      'rootfs: { tar: base.tar }, command: [ sleep, "1000" ]',
      'rootfs: { tar: base.tar.gz, readonly: true }, command: [ sleep, "1000" ]',
      'rootfs: { tar: base.tar.xz }, command: [ sleep, "1000" ]',
    );
    await apply(box, file);
    for (const name of ['c0', 'c1', 'c2', 'c3']) {
      assert.ok(existsSync(`/proc/${await pidOf(box, name)}/root/bin/busybox`), name);
    }
    writeFileSync(plain, Buffer.concat([readFileSync(plain), Buffer.alloc(512)]));
    const planned = await box.tsbox('plan', '-f', file);
    assert.match(planned.stdout, /-\/\+ container\/c1[^]*rootfs [^]*base\.tar@sha256:\w+\s[^]*base\.tar@sha256:\w+/);
    assert.match(planned.stdout, '1 to add, 0 to change, 1 to destroy');
  });
});

test('what is damaged, of another machine or not there is told, and nothing is made', async () => {
  await inBox(async (box) => {
    const { digest } = build(box);
    const told = async (line: string, message: RegExp): Promise<void> => {
      const planned = await box.tsbox('plan', '-f', stackOf(box, line));
      assert.is(planned.code, 1, planned.stdout);
      assert.match(planned.stderr, message);
    };
    await told('image: "oci:./layout:v9"', /no image 'v9' for linux\/\w+[^]*its tags: v1/);
    await told('image: "oci:./nowhere"', /index\.json is not there/);
    await told('rootfs: { image: "oci:./layout:v1", platform: linux/s390x }', /no image 'v1' for linux\/s390x/);
    const blob = join(box.dir, 'layout/blobs/sha256', digest.slice(7));
    const bytes = readFileSync(blob);
    writeFileSync(blob, Buffer.concat([bytes.subarray(0, -1), Buffer.from(' ')]));
    await told('image: "oci:./layout:v1"', /is damaged or forged/);
    assert.not.ok(existsSync(join(box.dir, 'var/layers')));
  });
});

(registry ? test : test.skip)('docker://: fetched from a registry by skopeo, once', async () => {
  await inBox(async (box) => {
    build(box);
    const port = 20_000 + (process.pid % 20_000);
    mkdirSync(join(box.dir, 'registry'));
    const config = box.write(
      'registry.yml',
      `version: 0.1\nlog: { level: error }\nstorage: { filesystem: { rootdirectory: ${join(box.dir, 'registry')} } }\nhttp: { addr: "127.0.0.1:${port}" }\n`,
    );
    const server = spawn('docker-registry', ['serve', config], { stdio: 'ignore' });
    try {
      const up = async (): Promise<boolean> =>
        fetch(`http://127.0.0.1:${port}/v2/`).then(
          (r) => r.ok,
          () => false,
        );
      await until('the registry', up);
      const target = `docker://127.0.0.1:${port}/tests/app:v1`;
      execFileSync('skopeo', [
        'copy',
        '--quiet',
        '--dest-tls-verify=false',
        `oci:${join(box.dir, 'layout')}:v1`,
        target,
      ]);
      const file = stackOf(box, `rootfs: { image: "${target}", tls_verify: false }`);
      const planned = await box.tsbox('plan', '-f', file);
      assert.match(planned.stdout, /rootfs .*tests\/app:v1 \(known after apply\)/);
      assert.match(planned.stdout, `fetches ${target}`);
      assert.match(await apply(box, file), '3 of 3 layers unpacked');
      assert.is(readFileSync(`/proc/${await pidOf(box)}/root/srv/note`, 'utf8'), 'one');
      const first = layers(box);
      assert.is((await box.tsbox('destroy', '-f', file, '--auto-approve')).code, 0);
      server.kill();
      // Without the registry: what is there is enough.
      assert.match(await apply(box, file), '0 of 3 layers unpacked, 3 there already');
      assert.equal(layers(box), first);
    } finally {
      server.kill();
    }
  });
});

test.run();
