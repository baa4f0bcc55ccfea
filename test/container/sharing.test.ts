/**
 * Who shares a namespace is told, and when its owner has others than before its sharers follow: in the same plan where
 * they are of one stack, and as drift that heals where they are of another or a supervisor made them anew.
 */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { NAMESPACES, pidsOf } from '../support/namespaces.ts';
import { nsInode, sandbox, startTime, type Sandbox } from '../support/sandbox.ts';
import { until } from '../support/wait.ts';

const sleeper = '{ command: [sleep, infinity], ';

/** A sharer of each type; one that shares something owned by another user namespace joins that too. */
const MAIN = `
tsbox: 1
name: main
namespaces:
  clocks: { type: time, monotonic: 10 }
  users: { type: user, uids: [{ inside: 0, outside: 300000, count: 1000 }] }
containers:
  owner: ${sleeper} env: { RUN: "1" }, namespaces: { user: new, time: new } }
${NAMESPACES.map((t) => `  of-${t}: ${sleeper} namespaces: { ${t}: container/owner${t === 'user' ? '' : ', user: container/owner'} } }`).join('\n')}
  declared: ${sleeper} namespaces: { time: clocks } }
  mapped: ${sleeper} namespaces: { user: users } }
  again: ${sleeper} namespaces: { time: container/declared } }
`;

const OTHER = `
tsbox: 1
name: other
containers:
  guest: ${sleeper} namespaces: { user: container/main:owner, net: container/main:owner, time: container/main:owner } }
`;

async function withBox(body: (box: Sandbox) => Promise<void>): Promise<void> {
  const before = await snapshot();
  const box = await sandbox('sharing');
  try {
    await body(box);
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
}

async function apply(box: Sandbox, file: string): Promise<void> {
  const run = await box.tsbox('apply', '-f', file, '--auto-approve');
  assert.is(run.code, 0, run.stderr + run.stdout);
}

async function nothingLeft(box: Sandbox, file: string): Promise<void> {
  const plan = await box.tsbox('plan', '-f', file, '--detailed-exitcode');
  assert.is(plan.code, 0, plan.stdout);
}

test('told by show and ps; replaced with the owner, in this stack and in another', () =>
  withBox(async (box) => {
    const main = box.write('main.yaml', MAIN);
    const other = box.write('other.yaml', OTHER);
    await apply(box, main);
    await apply(box, other);
    const first = await pidsOf(box, 'main');
    const { owner = 0 } = first;
    const { guest = 0 } = await pidsOf(box, 'other');

    const shown = await box.tsbox('show', '-f', main, 'container/owner');
    const line = (type: string): string => new RegExp(`^    ${type} .*`, 'm').exec(shown.stdout)?.[0] ?? '';
    assert.match(line('net'), `main:of-net (pid ${first['of-net']})`);
    assert.match(line('net'), `other:guest (pid ${guest})`);
    assert.match(line('ipc'), /# with main:of-ipc \(pid \d+\)$/);
    const json = JSON.parse((await box.tsbox('show', '-f', main, 'namespace/clocks', '--json')).stdout) as {
      namespaces: Array<{ type: string; inode: string; id: string | null; containers: string[]; processes: unknown[] }>;
    };
    assert.is(json.namespaces.length, 1);
    assert.equal(json.namespaces[0]?.containers, ['main:again', 'main:declared']);
    assert.is(`time:[${json.namespaces[0]?.inode}]`, nsInode(first['declared'] ?? 0, 'time'));
    const rows = JSON.parse((await box.tsbox('ps', '--json')).stdout) as Array<{
      name: string;
      namespaces: Record<string, { inode: string; shared_with: string[] }>;
    }>;
    const row = rows.find((r) => r.name === 'guest');
    assert.ok(row?.namespaces['net']?.shared_with.includes('main:owner'));
    assert.is(row?.namespaces['uts']?.shared_with.length, 0);
    assert.match((await box.tsbox('ps')).stdout, /SHARES[^]*guest .*user,net,time with main:owner/);

    // The owner is replaced: each sharer too, and says why.
    const changed = box.write('changed.yaml', MAIN.replace('"1"', '"2"'));
    const plan = await box.tsbox('plan', '-f', changed);
    for (const type of NAMESPACES) {
      assert.match(plan.stdout, new RegExp(`container/of-${type} +replaced[^+~]*container/owner, which is replaced`));
    }
    await apply(box, changed);
    const second = await pidsOf(box, 'main');
    for (const type of NAMESPACES) {
      assert.is(nsInode(second[`of-${type}`] ?? 0, type), nsInode(second['owner'] ?? 0, type), type);
      assert.is.not(second[`of-${type}`], first[`of-${type}`]);
    }
    assert.is.not(second['owner'], owner);

    // Another stack is no part of that plan: its own says so, and heals it.
    const drift = await box.tsbox('drift', '-f', other);
    assert.match(drift.stdout, /namespace\.net/);
    assert.match(drift.stdout, /namespace\.user/);
    assert.match(drift.stdout, /namespace\.time/);
    await apply(box, other);
    await nothingLeft(box, other);
    const after = (await pidsOf(box, 'other'))['guest'] ?? 0;
    for (const type of ['user', 'net', 'time']) {
      assert.is(nsInode(after, type), nsInode(second['owner'] ?? 0, type), type);
    }

    // What is declared and made anew takes its members along, and theirs.
    const moved = box.write(
      'moved.yaml',
      MAIN.replace('"1"', '"2"')
        .replace('monotonic: 10', 'monotonic: 20')
        .replace('outside: 300000', 'outside: 400000'),
    );
    const wider = await box.tsbox('plan', '-f', moved);
    assert.match(wider.stdout, /container\/declared +replaced[^]*namespace of namespace\/clocks, which is replaced/);
    assert.match(wider.stdout, /container\/mapped +replaced[^]*namespace of namespace\/users, which is replaced/);
    assert.match(wider.stdout, /container\/again +replaced[^]*namespace of container\/declared, which is replaced/);
    await apply(box, moved);
    await nothingLeft(box, moved);
    const third = await pidsOf(box, 'main');
    assert.match(readFileSync(`/proc/${third['again']}/timens_offsets`, 'utf8'), /monotonic +20 +0/);
    assert.match(readFileSync(`/proc/${third['mapped']}/uid_map`, 'utf8'), /0 +400000 +1000/);
    assert.is(third['owner'], second['owner']);

    for (const file of [other, moved]) {
      assert.is((await box.tsbox('destroy', '-f', file, '--auto-approve')).code, 0);
    }
  }));

test("a supervisor's restart makes pid and mnt anew: their sharers are drift, and heal", () =>
  withBox(async (box) => {
    const file = box.write(
      'restarting.yaml',
      `
tsbox: 1
name: restarting
containers:
  owner: ${sleeper} restart: always, namespaces: { user: new, time: new } }
${NAMESPACES.map((t) => `  of-${t}: ${sleeper} namespaces: { ${t}: container/owner${t === 'user' ? '' : ', user: container/owner'} } }`).join('\n')}
`,
    );
    await apply(box, file);
    const first = await pidsOf(box, 'restarting');
    const { owner = 0 } = first;
    const began = startTime(owner);
    process.kill(owner, 'SIGKILL');
    await until('the restart', async () => {
      const next = (await pidsOf(box, 'restarting'))['owner'] ?? 0;
      return next > 0 && (next !== owner || startTime(next) !== began);
    });
    const next = (await pidsOf(box, 'restarting'))['owner'] ?? 0;
    const kept = NAMESPACES.filter((t) => t !== 'mnt' && t !== 'pid');
    for (const type of kept) {
      assert.is(nsInode(next, type), nsInode(first[`of-${type}`] ?? 0, type), type);
    }
    const drift = await box.tsbox('drift', '-f', file);
    assert.match(drift.stdout, /container\/of-mnt[^]*namespace\.mnt/);
    assert.match(drift.stdout, /container\/of-pid/);
    for (const type of kept) {
      assert.not.match(drift.stdout, `container/of-${type} `);
    }
    await apply(box, file);
    await nothingLeft(box, file);
    const healed = await pidsOf(box, 'restarting');
    for (const type of NAMESPACES) {
      assert.is(nsInode(healed[`of-${type}`] ?? 0, type), nsInode(healed['owner'] ?? 0, type), type);
    }
    assert.is(healed['owner'], next);
    assert.is((await box.tsbox('destroy', '-f', file, '--auto-approve')).code, 0);
  }));

test.run();
