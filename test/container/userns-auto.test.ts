/** user: auto and keep-id: ranges that nothing else has, kept, given back, and never given twice. */
import { spawn } from 'node:child_process';
import { chownSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadNative } from '../../src/kernel/native.ts';
import type { Sandbox } from '../support/sandbox.ts';
import { until } from '../support/wait.ts';
import { applied, destroyed, idMap, makeRoot, pidsOf, scene } from '../support/userns.ts';

const POOL = { TSBOX_SUBIDS: '500000:1000000' };
const MAIN = 'command: [sleep, infinity]';

function pooled(box: Sandbox, pool = POOL.TSBOX_SUBIDS): void {
  box.env['TSBOX_SUBIDS'] = pool;
}

function stackOf(box: Sandbox, name: string, body: string): string {
  return box.write(`${name}.yaml`, `tsbox: 1\nname: ${name}\n${body}`);
}

test('two containers get ranges of their own, shown as numbers, kept by a replacement, given back by destroy', async () => {
  await scene(async (box) => {
    pooled(box);
    const body = (env: string): string => `containers:
  a: { ${MAIN}, env: { V: ${env} }, namespaces: { user: auto } }
  b: { ${MAIN}, namespaces: { user: { auto: { size: 1000 }, setgroups: deny } } }
`;
    const file = stackOf(box, 'one', body('x'));
    const planned = await box.tsbox('plan', '-f', file);
    assert.match(planned.stdout, /uid_map\s+"?0 500000 65536/, planned.stdout + planned.stderr);
    await applied(box, file);
    let pids = await pidsOf(box, 'one');
    assert.equal(idMap(pids['a'] ?? 0), ['0 500000 65536']);
    assert.equal(idMap(pids['b'] ?? 0), ['0 565536 1000']);
    assert.equal(idMap(pids['b'] ?? 0, 'gid_map'), ['0 565536 1000']);

    // Another stack, while these run; then the first replaced, which keeps its range.
    const other = stackOf(box, 'two', `containers:\n  c: { ${MAIN}, namespaces: { user: auto } }\n`);
    await applied(box, other);
    assert.equal(idMap((await pidsOf(box, 'two'))['c'] ?? 0), ['0 566536 65536']);
    stackOf(box, 'one', body('y'));
    const replaced = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.match(replaced.stdout, /1 added, 0 changed, 1 destroyed/);
    const again = await pidsOf(box, 'one');
    assert.is.not(again['a'], pids['a']);
    assert.equal(idMap(again['a'] ?? 0), ['0 500000 65536']);

    // What left the stack is free again, for the lowest fit.
    stackOf(
      box,
      'one',
      `containers:\n  b: { ${MAIN}, namespaces: { user: { auto: { size: 1000 }, setgroups: deny } } }\n`,
    );
    await applied(box, file);
    stackOf(
      box,
      'two',
      `containers:\n  c: { ${MAIN}, namespaces: { user: auto } }\n  d: { ${MAIN}, namespaces: { user: { auto: { size: 10 } } } }\n`,
    );
    await applied(box, other);
    pids = await pidsOf(box, 'two');
    assert.equal(idMap(pids['c'] ?? 0), ['0 566536 65536']);
    assert.equal(idMap(pids['d'] ?? 0), ['0 500000 10']);
    await destroyed(box, other);
    await destroyed(box, file);
    assert.match((await box.tsbox('plan', '-f', other)).stdout, /0 500000 65536/);
  });
});

test("a declared namespace with auto is shared; a foreign process's map is left alone", async () => {
  await scene(async (box) => {
    pooled(box);
    const foreign = spawn('unshare', ['--user', 'sleep', '60']);
    try {
      await until('the foreign namespace', () => idMap(foreign.pid ?? 0).length === 0);
      writeFileSync(`/proc/${foreign.pid}/uid_map`, '0 500000 100000');
      writeFileSync(`/proc/${foreign.pid}/gid_map`, '0 500000 10');
      const file = stackOf(
        box,
        'shared',
        `namespaces:
  lab: { type: user, auto: { size: 2000 } }
containers:
  a: { ${MAIN}, namespaces: { user: lab } }
  b: { ${MAIN}, namespaces: { user: container/a } }
`,
      );
      await applied(box, file);
      const pids = await pidsOf(box, 'shared');
      for (const name of ['a', 'b']) {
        assert.equal(idMap(pids[name] ?? 0), ['0 600000 2000']);
        assert.equal(idMap(pids[name] ?? 0, 'gid_map'), ['0 500010 2000']);
      }
      await destroyed(box, file);
    } finally {
      foreign.kill('SIGKILL');
    }
  });
});

test('two applies at once never take the same range', async () => {
  await scene(async (box) => {
    pooled(box);
    const files = ['p', 'q', 'r'].map((name) =>
      stackOf(box, name, `containers:\n  x: { ${MAIN}, namespaces: { user: { auto: { size: 100 } } } }\n`),
    );
    const runs = await Promise.all(files.map((f) => box.tsbox('apply', '-f', f, '--auto-approve')));
    for (const run of runs) {
      assert.is(run.code, 0, run.stderr + run.stdout);
    }
    const maps = new Set<string>();
    for (const name of ['p', 'q', 'r']) {
      maps.add(idMap((await pidsOf(box, name))['x'] ?? 0).join());
    }
    assert.equal([...maps].sort(), ['0 500000 100', '0 500100 100', '0 500200 100']);
    for (const f of files) {
      await destroyed(box, f);
    }
  });
});

test('keep-id: files of the kept user are that user’s on both sides', async () => {
  await scene(async (box) => {
    pooled(box);
    makeRoot(join(box.dir, 'root'));
    mkdirSync(join(box.dir, 'root/home'));
    const keep = (how: string): string =>
      stackOf(
        box,
        'kept',
        `containers:
  app:
    rootfs: { dir: root, overlay: false, idmap: false }
    user: "1234:1234"
    command: [/bin/sh, -c, "touch /home/mine; exec sleep 1000"]
    namespaces: { user: ${how} }
`,
      );
    chownSync(join(box.dir, 'root/home'), 1234, 1234);
    const file = keep('{ keep-id: { uid: 1234, size: 5000 } }');
    await applied(box, file);
    const { app = 0 } = await pidsOf(box, 'kept');
    assert.equal(idMap(app), ['0 500000 1234', '1234 1234 1', '1235 501235 3765']);
    await until('the file', () => statSync(join(box.dir, 'root/home/mine'), { throwIfNoEntry: false }) !== undefined);
    assert.is(statSync(join(box.dir, 'root/home/mine')).uid, 1234);
    await destroyed(box, file);

    // Without a number it is the owner of the file; root has to say so.
    const plain = keep('keep-id');
    const refused = await box.tsbox('plan', '-f', plain);
    assert.is(refused.code, 1);
    assert.match(refused.stderr, /keep-id keeps the owner of the stack file, and .* belongs to root/);
    chownSync(plain, 4321, 4321);
    assert.match((await box.tsbox('plan', '-f', plain)).stdout, /4321 4321 1/);
  });
});

test('no pool, and a pool that is too small, are told at their place', async () => {
  await scene(async (box) => {
    const file = stackOf(box, 'none', `containers:\n  x: { ${MAIN}, namespaces: { user: auto } }\n`);
    pooled(box, '500000:1000');
    const small = await box.tsbox('plan', '-f', file);
    assert.is(small.code, 1);
    assert.match(small.stderr, /the pool has no 65536 user ids in a row left, only 1000/);
    assert.match(small.stderr, /none\.yaml:4:\d+/);
    // /etc/subuid in a mount namespace of the test's own.
    pooled(box, '');
    const ids = box.write('subid', 'someone:100000:65536\ncontainers:700000:65536\n');
    const empty = box.write('empty', 'someone:100000:65536\n');
    const plan = (path: string): Promise<{ stdout: string; stderr: string; code: number }> =>
      box.run('unshare', [
        '-m',
        'sh',
        '-c',
        `for f in subuid subgid; do test -e /etc/$f || exit 99; mount --bind ${path} /etc/$f || exit 98; done; exec "$@"`,
        'sh',
        process.execPath,
        join(process.cwd(), 'dist/tsbox'),
        'plan',
        '-f',
        file,
      ]);
    const found = await plan(ids);
    assert.match(found.stdout, /0 700000 65536/, found.stderr);
    const nothing = await plan(empty);
    assert.is(nothing.code, 1);
    assert.match(nothing.stderr, /auto takes ids from a pool, and none is set aside/);
    assert.match(nothing.stderr, /containers:START:COUNT/);
  });
});

test('the record is the only memory: without it the next plan takes the ids anew, from what is free', async () => {
  await scene(async (box) => {
    pooled(box);
    const file = stackOf(box, 'lost', `containers:\n  x: { ${MAIN}, namespaces: { user: { auto: { size: 100 } } } }\n`);
    await applied(box, file);
    const dir = `${box.cgroupDir('unified', 'lost')}`;
    assert.is(String(loadNative().getXattrs([dir], 'trusted.tsbox.ids')[0]), 'container/x 500000 500000 100');
    loadNative().removeXattr(dir, 'trusted.tsbox.ids');
    const plan = await box.tsbox('plan', '-f', file, '--detailed-exitcode');
    assert.is(plan.code, 0, plan.stdout);
    await destroyed(box, file);
  });
});

test.run();
