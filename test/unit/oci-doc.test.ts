/** docs/oci.md has a row for every field of the runtime specification, and promises no key that the language lacks. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { containerSchema } from '../../src/resources/container/schema.ts';
import { repository } from '../support/sandbox.ts';

const read = (path: string): string => readFileSync(join(repository(), path), 'utf8');
const fields = JSON.parse(read('test/support/oci-fields.json')) as Record<
  'config' | 'mountOptions' | 'features' | 'state',
  string[]
>;
const doc = read('docs/oci.md');
const rows = doc
  .split('\n')
  .filter((l) => l.startsWith('| `'))
  .map((l) => l.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '').trim()));

const words = (cell = ''): string[] => [...cell.matchAll(/`([^`]+)`/g)].map((m) => m[1] ?? '');

test('every field, mount option and feature of the specification has a row', () => {
  const named = new Set(rows.flatMap((r) => words(r[0])));
  const missing = [...fields.config, ...fields.mountOptions, ...fields.features].filter((f) => !named.has(f));
  assert.equal(missing, []);
  assert.equal(
    fields.state.filter((f) => !doc.includes(`\`${f}\``)),
    [],
  );
  assert.ok(fields.config.length > 200);
});

test('what is supported names a key that the language has, what is not has a reason', () => {
  for (const [field = '', supported = '', how = ''] of rows.filter((r) => r.length === 4)) {
    assert.ok(['yes', 'part', 'no', 'not yet'].includes(supported), `${field}: ${supported}`);
    assert.ok(how.length > 5, `${field} says nothing`);
    const key = /^`([a-z_]+)[:`]/.exec(how)?.[1];
    if ((supported === 'yes' || supported === 'part') && key !== undefined) {
      const result = containerSchema.safeParse({ command: ['x'], [key]: {} });
      const unknown = result.error?.issues.some((i) => i.code === 'unrecognized_keys' && i.keys.includes(key)) ?? false;
      assert.not.ok(unknown, `${field}: the language has no ${key}`);
    }
  }
});

test('the tests that rows name exist', () => {
  const bundles = read('test/container/bundles.test.ts');
  for (const row of rows.filter((r) => r.length === 4)) {
    for (const name of words(row[3])) {
      assert.ok(new RegExp(`^  '?${name}'?: \\{`, 'm').test(bundles), `no bundle ${name}`);
    }
  }
});

test.run();
