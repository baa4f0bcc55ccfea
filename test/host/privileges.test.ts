/** What works without privileges, and how the rest refuses. */
import { join } from 'node:path';
import { chmodSync, copyFileSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CLI, sandbox } from '../support/sandbox.ts';

test('validate works, plan says what it could not read, everything else refuses', async () => {
  const box = await sandbox('privileges');
  try {
    const file = join(process.cwd(), 'stacks/pod.yaml');
    assert.is((await box.tsbox('apply', '-f', file, '--auto-approve')).code, 0);
    // A copy that an unprivileged user can reach, wherever the repository lies.
    chmodSync(box.dir, 0o755);
    mkdirSync(join(box.dir, 'dist'));
    for (const name of ['tsbox', 'package.json', 'tsbox.cjs', 'tsbox.cache', 'tsbox.node', 'tsbox-init']) {
      copyFileSync(join(dirname(CLI), name), join(box.dir, 'dist', name));
    }
    copyFileSync(file, join(box.dir, 'pod.yaml'));
    const plain = (...args: string[]): ReturnType<typeof box.run> =>
      box.run('setpriv', [
        '--reuid',
        '65534',
        '--regid',
        '65534',
        '--clear-groups',
        process.execPath,
        join(box.dir, 'dist/tsbox'),
        ...args,
      ]);
    const stack = join(box.dir, 'pod.yaml');
    assert.is((await plain('validate', '-f', stack)).code, 0);
    const plan = await plain('plan', '-f', stack);
    assert.is(plan.code, 0, plan.stderr);
    assert.match(plan.stdout, 'Could not be read with these privileges');
    assert.match(plan.stdout, 'container/db: everything');
    assert.not.match(plan.stdout, 'created');
    for (const args of [
      ['apply', '-f', stack, '-y'],
      ['destroy', '-f', stack, '-y'],
      ['drift', '-f', stack],
      ['ps'],
      ['show', '-f', stack],
      ['logs', 'db'],
      ['exec', 'db', '--', 'id'],
    ]) {
      const refused = await plain(...args);
      assert.is(refused.code, 1, args.join(' '));
      assert.match(refused.stderr, /error\[TSB2002\]: \w+ needs CAP_SYS_ADMIN/);
    }
    assert.is((await box.tsbox('destroy', '-f', file, '--auto-approve')).code, 0);
  } finally {
    await box.cleanup();
  }
});

test.run();
