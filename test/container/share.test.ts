/** `share`: the pod's namespaces in one word, equal to the long form, and made anew with their owner. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { pidsOf, NAMESPACES } from '../support/namespaces.ts';
import { nsInode, sandbox } from '../support/sandbox.ts';

const SHORT = `
tsbox: 1
name: pods
containers:
  db: { command: [sleep, infinity], env: { RUN: "1" } }
  web: { command: [sleep, infinity], share: db }
  all: { command: [sleep, infinity], share: { container: pods:db, namespaces: [mnt, pid, net, ipc, uts, cgroup] } }
  odd: { command: [sleep, infinity], share: container/db, namespaces: { uts: new, net: host } }
`;

const LONG = SHORT.replace('share: db }', 'namespaces: { net: container/db, ipc: container/db, uts: container/db } }')
  .replace(
    /share: \{.*\} \}/,
    `namespaces: { ${'mnt pid net ipc uts cgroup'
      .split(' ')
      .map((t) => `${t}: container/db`)
      .join(', ')} } }`,
  )
  .replace(
    'share: container/db, namespaces: { uts: new, net: host }',
    'namespaces: { uts: new, net: host, ipc: container/db }',
  );

test('one word shares net, ipc and uts; a list says which; namespaces: goes first', async () => {
  const before = await snapshot();
  const box = await sandbox('share');
  const file = box.write('short.yaml', SHORT);
  try {
    const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(applied.code, 0, applied.stderr + applied.stdout);
    const { db = 0, web = 0, all = 0, odd = 0 } = await pidsOf(box, 'pods');
    const shared = (pid: number): string[] => NAMESPACES.filter((t) => nsInode(pid, t) === nsInode(db, t));
    // Users and clocks are the host's in all of them.
    assert.equal(shared(web), ['user', 'net', 'ipc', 'uts', 'time']);
    assert.equal(shared(all), ['user', 'mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup', 'time']);
    assert.equal(shared(odd), ['user', 'ipc', 'time']);
    assert.is(nsInode(odd, 'net'), nsInode(process.pid, 'net'));
    assert.is((await box.tsbox('plan', '-f', file, '--detailed-exitcode')).code, 0);

    // The long form is the same stack: nothing to do.
    const long = box.write('long.yaml', LONG);
    const same = await box.tsbox('plan', '-f', long, '--detailed-exitcode');
    assert.is(same.code, 0, same.stdout + same.stderr);

    // The owner is replaced: so are its sharers, in the same plan, and it says why.
    const changed = box.write('changed.yaml', SHORT.replace('"1"', '"2"'));
    const plan = await box.tsbox('plan', '-f', changed);
    for (const name of ['web', 'all', 'odd']) {
      assert.match(
        plan.stdout,
        new RegExp(`container/${name} +replaced[^]*it lives in a namespace of container/db, which is replaced`),
      );
    }
    const replaced = await box.tsbox('apply', '-f', changed, '--auto-approve');
    assert.is(replaced.code, 0, replaced.stderr + replaced.stdout);
    const after = await pidsOf(box, 'pods');
    assert.is(nsInode(after['web'] ?? 0, 'net'), nsInode(after['db'] ?? 0, 'net'));
    assert.is.not(after['web'], web);
    assert.is((await box.tsbox('destroy', '-f', changed, '--auto-approve')).code, 0);
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
});

test.run();
