/** Frozen containers: their namespaces are joined, nobody hangs in one, what replaces one ends it where it stands. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { nsInode, startTime } from '../support/sandbox.ts';
import { applied, destroyed, pidsOf, scene } from '../support/userns.ts';

const stack = (command: string): string => `
tsbox: 1
name: cold
cgroups:
  a: {}
containers:
  ice: { command: [sleep, "${command}"], freeze: true }
  guest: { command: [sleep, "1000"], namespaces: { net: container/ice, ipc: container/ice, pid: container/ice } }
  below: { command: [sleep, "1000"], cgroup: a }
`;

test('a container joins the namespaces of a frozen one; exec into one, or below a frozen cgroup, is refused at once', async () => {
  await scene(async (box) => {
    const file = box.write('stack.yaml', stack('1000'));
    await applied(box, file);
    const { ice = 0, guest = 0 } = await pidsOf(box, 'cold');
    for (const type of ['net', 'ipc', 'pid']) {
      assert.is(nsInode(guest, type), nsInode(ice, type), type);
    }
    // Their first process is frozen, and the other ones run.
    const joined = await box.tsbox('exec', 'cold:guest', '--', 'cat', '/proc/1/cmdline');
    assert.is(joined.stdout.replaceAll('\0', ' '), 'sleep 1000 ', joined.stderr);
    assert.is((await box.tsbox('freeze', 'cgroup/a', '--stack', 'cold')).code, 0);
    for (const name of ['ice', 'below']) {
      const refused = await box.tsbox('exec', `cold:${name}`, '--', 'true');
      assert.is(refused.code, 1, name);
      assert.match(refused.stderr, 'the container is frozen: a process that joins it would never start');
    }
    assert.is((await box.tsbox('thaw', 'cgroup/a', '--stack', 'cold')).code, 0);
    assert.is((await box.tsbox('exec', 'cold:below', '--', 'true')).code, 0);

    // Replaced while it is frozen, with who shares its namespaces; frozen again.
    box.write('stack.yaml', stack('999'));
    const began = startTime(guest);
    await applied(box, file);
    const after = await pidsOf(box, 'cold');
    assert.is(readFileSync(`/proc/${after['ice']}/cmdline`, 'utf8'), 'sleep\x00999\x00');
    assert.ok(after['guest'] !== guest || startTime(guest) !== began, 'its sharer is replaced too');
    assert.is(nsInode(after['guest'] ?? 0, 'net'), nsInode(after['ice'] ?? 0, 'net'));
    await destroyed(box, file);
  });
});

test.run();
