/** A tmpfs that begins with what it covers: contents, owners, modes and links; at the start and in a running container. */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { lstatSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { startTime } from '../support/sandbox.ts';
import { applied, destroyed, makeRoot, pidsOf, scene } from '../support/userns.ts';

const stack = (mounts: string, more = ''): string => `tsbox: 1
name: copies
containers:
  app:
    rootfs: { dir: root }
    command: [/bin/sleep, infinity]
    stop_grace_period: 0s
    mounts: [${mounts}]
${more}`;

const MAPPED = `  mapped:
    rootfs: { dir: root }
    command: [/bin/sleep, infinity]
    stop_grace_period: 0s
    namespaces: { user: { uids: [{ inside: 0, outside: 300000, count: 65536 }] } }
    mounts: [{ tmpfs: /data, copy_up: true }]
`;

test('contents with owners, modes and links; read-only too; in a user namespace; in place', async () => {
  await scene(async (box) => {
    const root = makeRoot(join(box.dir, 'root'));
    mkdirSync(join(root, 'data/deep/er'), { recursive: true });
    writeFileSync(join(root, 'data/deep/er/file'), 'x'.repeat(300_000));
    writeFileSync(join(root, 'data/own'), 'own');
    chownSync(join(root, 'data/own'), 7, 8);
    chmodSync(join(root, 'data/own'), 0o6751);
    chmodSync(join(root, 'data/deep'), 0o700);
    // Copied as they are: nothing is read through them.
    symlinkSync('/etc/shadow', join(root, 'data/link'));
    execFileSync('mkfifo', [join(root, 'data/pipe')]);
    mkdirSync(join(root, 'late'));
    writeFileSync(join(root, 'late/there'), 'late');

    const first = '{ tmpfs: /data, copy_up: true, size: 1MiB, readonly: true }, { tmpfs: /not/there, copy_up: true }';
    const file = box.write('stack.yaml', stack(first, MAPPED));
    await applied(box, file);
    const { app = 0, mapped = 0 } = await pidsOf(box, 'copies');
    const owners = (pid: number): [number, number] => {
      const { uid, gid } = statSync(`/proc/${pid}/root/data/own`);
      return [uid, gid];
    };
    for (const pid of [app, mapped]) {
      const data = `/proc/${pid}/root/data`;
      assert.match(readFileSync(`/proc/${pid}/mountinfo`, 'utf8'), / \/data .* - tmpfs /);
      assert.is(readFileSync(`${data}/deep/er/file`, 'utf8').length, 300_000);
      assert.is(lstatSync(`${data}/own`).mode & 0o7777, 0o6751);
      assert.is(lstatSync(`${data}/deep`).mode & 0o7777, 0o700);
      assert.is(readlinkSync(`${data}/link`), '/etc/shadow');
      assert.not.ok(existsSync(`${data}/pipe`));
    }
    assert.equal(owners(app), [7, 8]);
    assert.equal(owners(mapped), [300_007, 300_008]);
    const write = await box.tsbox('exec', 'copies:app', '--', '/bin/touch', '/data/new');
    assert.match(write.stderr, /Read-only file system/);

    // Another mount beside it, in the running container; what the first holds is not touched.
    const began = startTime(app);
    box.write('stack.yaml', stack(`${first}, { tmpfs: /late, copy_up: true }`, MAPPED));
    await applied(box, file);
    assert.is(startTime(app), began);
    assert.is(readFileSync(`/proc/${app}/root/late/there`, 'utf8'), 'late');
    await destroyed(box, file);
    assert.is(readFileSync(join(root, 'late/there'), 'utf8'), 'late');

    box.write('stack.yaml', stack('{ tmpfs: /data, copy_up: true, size: 64KiB }'));
    const small = await box.tsbox('apply', '-f', file, '-y');
    assert.is(small.code, 1);
    assert.match(small.stderr, /copy_up \/data: ENOSPC/);
    await destroyed(box, file);
  });
});

test.run();
