/** What differs in a plan, as data and as text; UPDATE=1 writes test/golden/plan/differences.txt anew. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hideSecrets, masked } from '../../src/cli/output.ts';
import { covered, COVERED, coveredPlan } from '../../src/report/covered.ts';
import { applyEdits, editsOf } from '../../src/report/plan-diff/edits.ts';
import { editsJson } from '../../src/report/plan-diff/edits-json.ts';
import { sequences } from '../../src/report/plan-diff/sequences.ts';
import { WIDTH } from '../../src/report/plan-diff/lines.ts';
import { PLAIN } from '../../src/report/palette.ts';
import { planMarkdown } from '../../src/report/plan-markdown.ts';
import { renderPlan, type RenderOptions } from '../../src/report/plan-text.ts';
import { sameValue, type Attribute, type Value } from '../../src/resources/attribute.ts';
import type { AttributeChange } from '../../src/resources/kind.ts';
import { CONTAINER_ATTRIBUTES } from '../../src/resources/container/attributes.ts';
import { differences, PASSWORD } from '../support/differences.ts';
import { repository } from '../support/sandbox.ts';

const GOLDEN = join(repository(), 'test', 'golden', 'plan');

function golden(name: string, text: string): void {
  const path = join(GOLDEN, name);
  if (process.env['UPDATE'] === '1' || !existsSync(path)) {
    assert.is(process.env['UPDATE'], '1', `${name} is missing: UPDATE=1 writes it`);
    writeFileSync(path, text);
  }
  assert.fixture(text, readFileSync(path, 'utf8'));
}

hideSecrets({ sensitive: [PASSWORD] }, []);

const render = (options: RenderOptions = {}): Promise<string> => renderPlan(differences, PLAIN, options);

test('every kind of value', async () => {
  const text = await render({ mask: masked });
  golden('differences.txt', text);
  assert.not.match(text, PASSWORD);
  assert.not.match(text, 'old-password');
  for (const line of text.split('\n')) {
    assert.ok((line.split('   # ')[0] as string).length <= WIDTH, line);
  }
});

test('the context is as large as asked for', async () => {
  const counts = await Promise.all(
    [0, 1, 3, 1000].map(async (context) => (await render({ context })).match(/^ +\| line/gm)?.length ?? 0),
  );
  assert.equal(counts, [0, 2, 6, 19]);
});

test('compact is one line for each resource', async () => {
  assert.is((await render({ compact: true })).trimEnd().split('\n').length, differences.changes.length + 2);
});

const devices = CONTAINER_ATTRIBUTES.get('devices') as Attribute;

test('items of one key are one that changed', () => {
  assert.equal(
    editsOf(devices, ['allow c 1:3 r', 'allow c 1:5 rw'], ['allow c 1:5 rw', 'allow c 1:3 rwm'], sequences),
    [{ op: 'change', at: 'allow c 1:3 r', before: 'allow c 1:3 r', after: 'allow c 1:3 rwm' }],
  );
  assert.equal(
    editsOf(devices, ['allow c 1:3 r', 'deny c 1:3 w'], ['allow c 1:3 rwm'], sequences).map((e) => e.op),
    ['remove', 'remove', 'add'],
  );
});

test('of a list in order the least is edited', () => {
  assert.equal(editsOf({ list: 'argv' }, ['a', 'b', 'c', 'd'], ['a', 'x', 'c', 'd', 'e'], sequences), [
    { op: 'change', at: 1, before: 'b', after: 'x' },
    { op: 'add', at: 4, after: 'e' },
  ]);
});

const word = fc.constantFrom('a', 'b', 'c', 'd', 'e f', '', '__proto__', 'x\ny');
const rule = fc
  .tuple(fc.constantFrom('allow', 'deny'), fc.constantFrom('c 1:3', 'c 1:5', 'b 8:0'), fc.constantFrom('r', 'rw'))
  .map((parts) => parts.join(' '));
const list = fc.array(word, { maxLength: 12 });
const map = fc
  .array(fc.tuple(word, word), { maxLength: 6 })
  .map((entries): Value => Object.fromEntries(entries) as Record<string, string>);
const row = (more: Partial<Attribute>): Attribute => ({ ...devices, ...more });

const KINDS: ReadonlyArray<readonly [string, Attribute, fc.Arbitrary<Value | undefined>]> = [
  ['lists in order', row({ list: 'argv' }), list],
  ['sets', { ...row({}), itemKey: (item) => item }, fc.uniqueArray(word)],
  ['sets with keys', devices, fc.uniqueArray(rule)],
  ['maps', row({}), map],
  ['anything', row({ list: 'argv' }), fc.oneof(word, list, map, fc.constant(undefined))],
];

for (const [name, attribute, values] of KINDS) {
  test(`edits lead from before to after: ${name}`, () => {
    fc.assert(
      fc.property(values, values, (before, after) => {
        const edits = editsOf(attribute, before, after, sequences);
        assert.ok(sameValue(attribute, applyEdits(before, edits), after), JSON.stringify(edits));
        assert.is(edits.length === 0, sameValue(attribute, before, after));
      }),
      { numRuns: 500 },
    );
  });
}

test('what a secret takes the place of is hidden, and what stays is not', () => {
  const mask = (text: string): string => text.replaceAll(PASSWORD, '(hidden)');
  const now = ['app', `--password=${PASSWORD}`, '--new'];
  assert.equal(covered(['app', '--password=old'], now, mask), ['app', COVERED]);
  assert.equal(covered(['app', '--password=old'], ['app', '--new'], mask), ['app', '--password=old']);
  assert.equal(covered({ A: '1', P: 'old' }, { A: '2', P: PASSWORD }, mask), { A: '1', P: COVERED });
  assert.is(covered('old', PASSWORD, mask), COVERED);
  assert.is(covered(PASSWORD, PASSWORD, mask), PASSWORD);
  assert.is(covered('old', 'x=(sensitive value #2)', mask), COVERED, 'of a saved plan');
  const [, app] = coveredPlan(differences, mask).changes;
  const env = app?.attributes.find((a) => a.name === 'env');
  assert.equal(
    [env?.before, env?.applied].map((v) => (v as Record<string, string>)['PASSWORD']),
    [COVERED, COVERED],
  );
  const change = { name: 'command', before: ['app', '--password=old'], after: now } as unknown as AttributeChange;
  const edits = editsJson('container/app', { ...change, cause: 'config' }, mask);
  assert.equal(edits, [
    { op: 'change', at: 1, before: COVERED, after: '--password=(hidden)' },
    { op: 'add', at: 2, after: '--new' },
  ]);
});

test('Markdown has its signs in column 0, and is never too long', async () => {
  const text = await planMarkdown(differences, { mask: masked });
  golden('differences.md', text);
  const [first] = differences.changes;
  assert.ok(first !== undefined);
  const many = Array.from({ length: 3000 }, (_, i) => ({ ...first, address: `cgroup/many-${i}/deep` }));
  const large = await planMarkdown({ ...differences, changes: many }, {});
  assert.ok(large.length <= 65_536);
  assert.match(large, '<details>');
  assert.match(large, 'left out');
  assert.is((large.match(/^```/gm) ?? []).length % 2, 0);
});

test('replicas that change alike are one, with all of their lines', async () => {
  const app = differences.changes[1] as (typeof differences.changes)[number];
  const replicas = [0, 1, 2].map((i) => ({ ...app, address: `container/web[${i}]` }));
  const of = async (changes: typeof differences.changes): Promise<string[]> =>
    (await renderPlan({ ...differences, changes }, PLAIN, { mask: masked })).split('\n');
  const [head, ...rest] = await of(replicas);
  const [, ...single] = await of([app]);
  assert.match(head ?? '', /^-\/\+ container\/web\[0\.\.2\] +replaced$/);
  assert.equal(rest.slice(0, -3), single.slice(0, -3));
});

// The last one: what is hidden stays so.
test('what is equal among secrets can be seen, and nothing of them', () => {
  hideSecrets({ sensitive: ['1'] }, ['a content\nof two lines', PASSWORD, '']);
  assert.is(masked(`${PASSWORD} 1 ${PASSWORD}`), '(sensitive value #1) (sensitive value #2) (sensitive value #1)');
  assert.is(masked(masked(PASSWORD)), '(sensitive value #1)');
  assert.is(masked(JSON.stringify('a content\nof two lines')), '"(sensitive value #3)"');
  assert.is(masked(`secret:${'0'.repeat(64)}`), '(sensitive content)');
});

test.run();
