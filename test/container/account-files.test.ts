/** Names of users are looked up in a root that nobody vouches for: nothing outside of it answers. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { sandbox, type Run } from '../support/sandbox.ts';

const PASSWD = 'app:x:1234:1234::/:/bin/sh\n';

test('links in /etc of a root, and what is no file there', async () => {
  const box = await sandbox('accounts');
  const root = join(box.dir, 'root');
  const etc = join(root, 'etc');
  const file = box.write(
    'stack.yaml',
    `tsbox: 1\nname: accounts\ncontainers:\n  a: { rootfs: { dir: ${root} }, command: [/bin/x], user: app }\n`,
  );
  const plan = (): Promise<Run> => box.tsbox('plan', '-f', file);
  const fresh = (): void => {
    rmSync(root, { recursive: true, force: true });
    mkdirSync(etc, { recursive: true });
  };
  try {
    box.write('passwd', PASSWD);
    for (const [link, to] of [
      ['etc/passwd', '../../passwd'],
      ['etc/passwd', join(box.dir, 'passwd')],
      ['etc', box.dir],
    ] as const) {
      fresh();
      rmSync(join(root, link), { recursive: true, force: true });
      symlinkSync(to, join(root, link));
      const { code, stdout, stderr } = await plan();
      assert.is.not(code, 0);
      assert.match(stdout + stderr, /no user app in the container's \/etc/);
      assert.not.match(stdout + stderr, /1234/);
    }

    fresh();
    symlinkSync('/usr/passwd', join(etc, 'passwd'));
    mkdirSync(join(root, 'usr'));
    writeFileSync(join(root, 'usr/passwd'), PASSWD);
    assert.match((await plan()).stdout, /1234:1234/);

    fresh();
    execFileSync('mkfifo', [join(etc, 'passwd')]);
    assert.match((await plan()).stderr, /no user app/);

    fresh();
    writeFileSync(join(etc, 'passwd'), PASSWD);
    truncateSync(join(etc, 'passwd'), 64 * 1024 * 1024);
    assert.match((await plan()).stderr, /etc\/passwd: EFBIG/);

    fresh();
    symlinkSync('passwd', join(etc, 'passwd'));
    assert.match((await plan()).stderr, /etc\/passwd: ELOOP/);
  } finally {
    await box.cleanup();
  }
});

test.run();
