/** cp out of and into containers, and what a container that works against it can reach. */
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { copy, openHere, openIn } from '../../src/cli/cp/copy.ts';
import { ContainerRoot } from '../../src/kernel/container-root.ts';
import { openKernel } from '../../src/kernel/kernel.ts';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { sandbox, startTime } from '../support/sandbox.ts';
import type { Sandbox } from '../support/sandbox.ts';
import { until } from '../support/wait.ts';

const STACK = (outside: string): string => `tsbox: 1
name: files
containers:
  web:
    replicas: 2
    command: [sh, -c, 'mkdir -p /tmp/data/sub; echo made in \${index} > /tmp/data/sub/file; ln -s sub/file /tmp/data/link; mkfifo /tmp/data/pipe; exec sleep infinity']
  mapped:
    command: [sh, -c, 'echo mine > /tmp/mine; exec sleep infinity']
    namespaces: { user: { uids: [{ inside: 0, outside: 200000, count: 1000 }], gids: [{ inside: 0, outside: 200000, count: 1000 }] } }
  hostile:
    command: [sh, -c, 'cd /tmp; while :; do rm -rf x; mkdir x; echo inside > x/secret; rm -rf x; ln -s ${outside} x; done']
`;

async function pidOf(box: Sandbox, name: string): Promise<number> {
  const rows = JSON.parse((await box.tsbox('ps', '--json')).stdout) as Array<{ name: string; pid: number | null }>;
  return rows.find((r) => r.name === name)?.pid ?? 0;
}

async function withStack(body: (box: Sandbox, outside: string) => Promise<void>): Promise<void> {
  const before = await snapshot();
  const box = await sandbox('cp');
  try {
    const outside = join(box.dir, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'secret'), "the host's secret");
    box.write('tsbox.yaml', STACK(outside));
    const applied = await box.tsbox('apply', '--auto-approve');
    assert.is(applied.code, 0, applied.stderr);
    const pid = await pidOf(box, 'web[1]');
    await until(
      'its files',
      () => lstatSync(`/proc/${pid}/root/tmp/data/pipe`, { throwIfNoEntry: false }) !== undefined,
    );
    await body(box, outside);
    assert.is((await box.tsbox('destroy', '--stack', 'files', '--auto-approve')).code, 0);
    assertNoLeaks(before, await snapshot());
  } finally {
    await box.cleanup();
  }
}

test('out of a replica and into it, with what cannot be copied told', async () => {
  await withStack(async (box) => {
    const out = await box.tsbox('cp', 'container/files:web[1]:/tmp/data', './copy');
    assert.is(out.code, 1, out.stderr);
    assert.is(out.stdout, '2 files copied\n');
    assert.match(out.stderr, 'not copied: pipe: neither a file, a directory nor a link');
    assert.is(readFileSync(join(box.dir, 'copy/sub/file'), 'utf8'), 'made in 1\n');
    assert.is(readlinkSync(join(box.dir, 'copy/link')), 'sub/file');
    assert.is((await box.tsbox('cp', 'web[0]:/tmp/data/link', './a-link')).code, 0);
    assert.is(readlinkSync(join(box.dir, 'a-link')), 'sub/file', 'a link at the end is copied as a link');

    box.write('given', 'given');
    const into = await box.tsbox('cp', './given', 'web[0]:/tmp/data/sub');
    assert.is(into.code, 0, into.stderr);
    assert.is((await box.tsbox('exec', 'web[0]', '--', 'cat', '/tmp/data/sub/given')).stdout, 'given');
    const refused = await box.tsbox('cp', './given', 'web[0]:/etc/given');
    assert.is(refused.code, 1);
    assert.match(refused.stderr, 'open given: EROFS');
    for (const [args, message] of [
      [['web:/tmp', '.'], /'web' has several replicas.*\n.*web\[0\]/],
      [['nobody:/tmp', '.'], /no container 'nobody'/],
      [['a', 'b'], /one of source and target is in a container/],
      [['web[0]:/a', 'web[1]:/b'], /one of source and target is in a container/],
      [['web[0]:/none', '.'], /\/none does not exist/],
      [['web[0]:/proc/1/root/etc/passwd', '.'], /ELOOP/],
    ] as const) {
      const { code, stderr } = await box.tsbox('cp', ...args);
      assert.is(code, 1, args.join(' '));
      assert.match(stderr, message);
    }
  });
});

test("owners as the container's user namespace has them", async () => {
  await withStack(async (box) => {
    const pid = await pidOf(box, 'mapped');
    const out = await box.tsbox('cp', 'mapped:/tmp/mine', './mine');
    assert.is(out.code, 0, out.stderr);
    assert.is(lstatSync(join(box.dir, 'mine')).uid, 0, 'its root is root here');
    const back = await box.tsbox('cp', './mine', 'mapped:/tmp/back');
    assert.is(back.code, 0, back.stderr);
    assert.is(lstatSync(`/proc/${pid}/root/tmp/back`).uid, 200_000);
    assert.is((await box.tsbox('exec', 'mapped', '--', 'stat', '-c', '%u', '/tmp/back')).stdout, '0\n');
  });
});

test('a link that comes and goes leads no copy out of the container (CVE-2018-15664)', async () => {
  await withStack(async (box, outside) => {
    const pid = await pidOf(box, 'hostile');
    const root = new ContainerRoot(openKernel(process.env), pid, startTime(pid));
    const rules = { owner: () => ({ uid: 0, gid: 0 }), setid: false };
    const here = join(box.dir, 'here');
    mkdirSync(here);
    box.write('planted', 'planted');
    let reads = 0;
    let writes = 0;
    try {
      // Both ways often enough to meet the link and the directory; each may fail, neither may leave the container.
      for (const deadline = Date.now() + 2500; Date.now() < deadline;) {
        try {
          copy(openIn(root), '/tmp/x/secret', openHere, here, rules);
          assert.is(readFileSync(join(here, 'secret'), 'utf8').replace(/^inside\n$/, ''), '');
          reads++;
        } catch (error) {
          assert.is.not((error as Error).name, 'Assertion', (error as Error).message);
        }
        try {
          copy(openHere, join(box.dir, 'planted'), openIn(root), '/tmp/x/planted', rules);
          writes++;
        } catch {
          // The directory was a link, or gone.
        }
      }
    } finally {
      root.close();
    }
    assert.ok(reads > 0 && writes > 0, `${reads} reads and ${writes} writes succeeded`);
    assert.equal(readdirSync(outside), ['secret'], 'nothing was written outside');
    // Neither does a path that goes up: above the root of the container is only that root.
    const there = await box.tsbox('cp', './planted', `web[0]:/tmp/data/../../../../../..${box.dir}/outside/planted`);
    assert.is(there.code, 1);
    assert.equal(readdirSync(outside), ['secret']);
  });
});

test.run();
