/** Every example stack: validate, plan, apply, plan again (empty), destroy, nothing left. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { busyboxLayer, writeImage } from '../support/image.ts';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { sandbox, type Sandbox } from '../support/sandbox.ts';

const STACKS = join(process.cwd(), 'stacks');

/** What an example needs besides itself, as options. */
const GIVEN: Readonly<Record<string, (box: Sandbox) => string[]>> = {
  'image.yaml': (box) => {
    const layout = join(box.dir, 'layout');
    writeImage(layout, 'v1', [{ tar: busyboxLayer(join(box.dir, 'root')) }], { Cmd: ['sh'], Env: ['PATH=/bin'] });
    return ['--var', `image=oci:${layout}:v1`];
  },
};

for (const name of readdirSync(STACKS)
  .filter((f) => f.endsWith('.yaml') && !f.endsWith('.test.yaml'))
  .sort()) {
  test(`${name}: the whole way there and back`, async () => {
    const before = await snapshot();
    const box = await sandbox(`stack-${name}`);
    const file = join(STACKS, name);
    try {
      const given = ['-f', file, ...(GIVEN[name]?.(box) ?? [])];
      const validated = await box.tsbox('validate', '-f', file);
      assert.is(validated.code, 0, validated.stderr);
      const planned = await box.tsbox('plan', ...given, '--detailed-exitcode');
      assert.is(planned.code, 2, planned.stderr);
      assert.match(planned.stdout, /^Plan: [1-9]\d* to add, 0 to change, 0 to destroy\.$/m);
      const applied = await box.tsbox('apply', ...given, '--auto-approve');
      assert.is(applied.code, 0, applied.stderr + applied.stdout);
      assert.match(applied.stdout, 'Verified: read back');
      const again = await box.tsbox('plan', ...given, '--detailed-exitcode');
      assert.is(again.code, 0, again.stdout + again.stderr);
      assert.match(again.stdout, 'No changes. Your infrastructure matches the configuration.');
      const drift = await box.tsbox('drift', ...given);
      assert.is(drift.code, 0, drift.stdout);
      const reapplied = await box.tsbox('apply', ...given, '--auto-approve');
      assert.is(reapplied.code, 0, reapplied.stderr);
      const destroyed = await box.tsbox('destroy', ...given, '--auto-approve');
      assert.is(destroyed.code, 0, destroyed.stderr + destroyed.stdout);
      assertNoLeaks(before, await snapshot());
    } finally {
      await box.cleanup();
    }
  });
}

test.run();
