/** The store of images: what is in it, who has it, and that nothing in use is ever removed. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadNative } from '../../src/kernel/native.ts';
import { decodeLabel, encodeLabel, LABEL_XATTR, type Label } from '../../src/resources/label.ts';
import { busyboxLayer, tar, writeImage } from '../support/image.ts';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { sandbox, type Sandbox } from '../support/sandbox.ts';
import { until } from '../support/wait.ts';

interface Row {
  name: string | null;
  digest: string;
  layers: Array<{ key: string; shared: boolean; mounted: boolean }>;
  used_by: Array<{ stack: string; container: string; target: string }>;
}
interface Told {
  images: Array<{ name: string; digest: string }>;
  layers: Array<{ key: string; bytes: number }>;
  bytes: number;
}

async function inBox(body: (box: Sandbox) => Promise<void>): Promise<void> {
  const before = await snapshot();
  const box = await sandbox('prune');
  try {
    writeFileSync(join(box.dir, 'base.tar'), busyboxLayer(join(box.dir, 'base')));
    await body(box);
    for (const stack of ['one', 'two']) {
      assert.is((await box.tsbox('destroy', '--stack', stack, '--auto-approve')).code, 0);
    }
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
}

/** An image of the common layer and one of its own. */
function build(box: Sandbox, tag: string, note = tag): string {
  const own = tar([{ name: 'note', data: note }]);
  return writeImage(join(box.dir, 'layout'), tag, [{ tar: readFileSync(join(box.dir, 'base.tar')) }, { tar: own }], {
    Cmd: ['sleep', '1000'],
  }).digest;
}

async function apply(box: Sandbox, stack: string, ...containers: readonly string[]): Promise<string> {
  const text = containers.map((c, i) => `  c${i}: { ${c} }\n`).join('');
  const file = box.write(`${stack}.yaml`, `tsbox: 1\nname: ${stack}\ncontainers:\n${text}`);
  const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
  assert.is(applied.code, 0, applied.stderr + applied.stdout);
  return applied.stderr;
}

async function json<T>(box: Sandbox, ...args: readonly string[]): Promise<T> {
  const run = await box.tsbox('images', ...args, '--json');
  assert.is(run.code, 0, run.stderr);
  return JSON.parse(run.stdout) as T;
}

const layers = (box: Sandbox): string[] => readdirSync(join(box.dir, 'var/layers/sha256')).sort();

test('images: names, shared layers, users; prune takes what nobody has and leaves the rest as it is', async () => {
  await inBox(async (box) => {
    assert.is((await box.tsbox('images')).stdout, 'The store has no images.\n');
    const [first, second] = [build(box, 'v1'), build(box, 'v2')];
    await apply(box, 'one', 'image: "oci:./layout:v1"', 'image: "oci:./layout:v2"');
    await apply(box, 'two', 'image: "oci:./layout:v1"', 'rootfs: { tar: base.tar }, command: [ sleep, "1000" ]');
    const rows = await json<Row[]>(box);
    const users = (digest: string): string[] =>
      (rows.find((r) => r.digest === digest)?.used_by ?? []).map((u) => `${u.stack}:${u.container}${u.target}`).sort();
    assert.equal(users(first), ['one:c0/', 'two:c0/']);
    assert.equal(users(second), ['one:c1/']);
    assert.is(rows.length, 3);
    assert.equal(
      rows.map((r) => r.layers.map((l) => [l.shared, l.mounted])),
      [
        [
          [true, true],
          [false, true],
        ],
        [
          [true, true],
          [false, true],
        ],
        [[true, true]],
      ],
    );
    const text = (await box.tsbox('images')).stdout;
    assert.match(text, /IMAGE +PLATFORM +DIGEST +SIZE +LAYERS +USED BY/);
    assert.match(text, /layout:v1 +linux\/\w+ +[0-9a-f]{12} +[0-9.]+ [KM]iB +2 \(1 shared\) +one:c0, two:c0/);
    assert.match((await box.tsbox('images', 'prune')).stdout, 'every image and layer is in use');

    await apply(box, 'one', 'image: "oci:./layout:v1"');
    const own = rows.find((r) => r.digest === second)?.layers[1]?.key ?? '';
    const dry = await json<Told>(box, 'prune', '--dry-run');
    assert.equal([dry.images.map((i) => i.digest), dry.layers.map((l) => l.key)], [[second], [own]]);
    assert.ok(dry.bytes > 0);
    assert.is(layers(box).length, 3, 'nothing is removed yet, and an archive is the layer that it is in an image');
    const asked = await box.tsbox('images', 'prune');
    assert.is(asked.code, 1);
    assert.match(asked.stderr, 'there is no terminal to ask on');
    assert.is(layers(box).length, 3);
    const pruned = await box.tsbox('images', 'prune', '--auto-approve');
    assert.match(pruned.stdout, /- image .*layout:v2[^]*Removed 1 images, 1 layers/);
    assert.not.ok(layers(box).includes(own));
    assert.is(layers(box).length, 2);
    assert.equal(
      (await json<Row[]>(box)).map((r) => r.name?.split('/').at(-1)),
      ['layout:v1', 'base.tar'],
    );
    for (const stack of ['one', 'two']) {
      assert.is((await box.tsbox('plan', '-f', join(box.dir, `${stack}.yaml`), '--detailed-exitcode')).code, 0);
    }
    assert.match(
      await apply(box, 'one', 'image: "oci:./layout:v1"', 'image: "oci:./layout:v2"'),
      '1 of 2 layers unpacked, 1 there already',
    );
  });
});

test('a stopped container, a tag that moved on, a half-made one and a mount by hand each keep what they have', async () => {
  await inBox(async (box) => {
    const old = build(box, 'v1');
    await apply(box, 'one', 'image: "oci:./layout:v1", restart: no');
    build(box, 'v1', 'other');
    await apply(box, 'two', 'image: "oci:./layout:v1"');
    const moved = (await json<Row[]>(box)).find((r) => r.name === null);
    assert.is(moved?.digest, old);
    assert.match((await box.tsbox('images')).stdout, /\(its tag leads elsewhere\).* one:c0/);
    assert.is((await box.tsbox('stop', 'c0', '--stack', 'one')).code, 0);
    assert.equal((await json<Told>(box, 'prune', '--dry-run')).layers, []);

    // What an apply that was killed has left: a label that says nothing. The mounts say it.
    const leaf = box.cgroupDir('unified', 'two/c0');
    const native = loadNative();
    const place = existsSync(leaf) ? leaf : box.cgroupDir('memory', 'two/c0');
    const label = decodeLabel(String(native.getXattrs([place], LABEL_XATTR)[0])) as Label;
    native.setXattr(place, LABEL_XATTR, encodeLabel({ ...label, applied: null }));
    const half = await json<Told>(box, 'prune', '--auto-approve');
    assert.is(half.images.length, 1, 'its name goes');
    assert.equal(half.layers, []);
    native.setXattr(place, LABEL_XATTR, encodeLabel(label));

    // Mounted by nobody we know, in a namespace that we never enter.
    for (const stack of ['one', 'two']) {
      assert.is((await box.tsbox('destroy', '--stack', stack, '--auto-approve')).code, 0);
    }
    const [kept = ''] = layers(box);
    const path = join(box.dir, 'var/layers/sha256', kept);
    const script = `mount --bind ${path} /mnt && echo ready && sleep 100`;
    const holder = spawn('unshare', ['-m', 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await new Promise((resolve) => holder.stdout.once('data', resolve));
      const told = await json<Told>(box, 'prune', '--auto-approve');
      assert.is(told.layers.length, 2);
      assert.equal(layers(box), [kept]);
    } finally {
      execFileSync('pkill', ['-P', String(holder.pid)]);
      holder.kill();
    }
    await until('the holder is gone', () => Promise.resolve(holder.exitCode !== null || holder.signalCode !== null));
    assert.is((await json<Told>(box, 'prune', '--auto-approve')).layers.length, 1);
    assert.equal(layers(box), []);
  });
});

test('prune does nothing while an apply uses the store, and clears away what a killed one left', async () => {
  await inBox(async (box) => {
    build(box, 'v1');
    await apply(box, 'one', 'image: "oci:./layout:v1"');
    assert.is((await box.tsbox('destroy', '--stack', 'one', '--auto-approve')).code, 0);
    const directory = join(box.dir, 'var/layers');
    execFileSync('mkdir', ['-p', join(directory, 'partial', 'x', 'root'), join(box.dir, 'var/images/fetch-1-0')]);
    const native = loadNative();
    const lock = native.lockDir(directory, true);
    const refused = await box.tsbox('images', 'prune', '--auto-approve');
    assert.is(refused.code, 6, refused.stderr);
    assert.match(refused.stderr, /TSB3004/);
    assert.is(layers(box).length, 2);
    native.close(lock);
    assert.is((await box.tsbox('images', 'prune', '--auto-approve')).code, 0);
    assert.equal(layers(box), []);
    assert.equal(readdirSync(join(directory, 'partial')), []);
    assert.not.ok(existsSync(join(box.dir, 'var/images/fetch-1-0')));
    assert.equal(readdirSync(join(box.dir, 'var/images/blobs/sha256')), []);
    // And an apply beside a prune waits for it.
    const alone = native.lockDir(directory);
    const waiting = apply(box, 'one', 'image: "oci:./layout:v1"');
    setTimeout(() => native.close(alone), 1500);
    assert.match(await waiting, '2 of 2 layers unpacked');
  });
});

test.run();
