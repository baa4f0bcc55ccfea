/** One style for stack files: the same meaning, comments kept, and formatting twice changes nothing. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parse, stringify } from 'yaml';
import type { TsboxError } from '../../src/errors.ts';
import { formatStack } from '../../src/stack/format.ts';
import { repository } from '../support/sandbox.ts';

const format = (text: string): string => formatStack('x.yaml', text);

test('sections in order, comments and anchors kept, needless quotes gone', () => {
  const text = [
    '# head',
    '',
    'containers:',
    '    # the web',
    '    web:   # here',
    '        command: [\'sleep\', "60"]',
    '        env: { A: "yes", B: \'1\' }',
    '',
    '',
    '',
    'x-a: &a { memory: { max: 1MiB } }',
    'name:   "shop"',
    'tsbox: 1',
    '',
  ].join('\n');
  const result = format(text);
  assert.equal(Object.keys(parse(result) as object), ['tsbox', 'name', 'x-a', 'containers']);
  for (const kept of ['# head', '# the web', '# here', '&a', 'name: shop\n']) {
    assert.ok(result.includes(kept), `${kept} in\n${result}`);
  }
  assert.equal(parse(result), parse(text));
  assert.match(result, /"60"/);
  assert.match(result, /B: "1"/);
});

test('numbers stay as they are written, lists and maps have one form each', () => {
  const text = 'a: 0750\nb: 1e3\nc: 0x10\nd: [ 1,2 ]\ne: {f: [ 0644 ], g: ~}\nh:\n- i\n';
  assert.is(format(text), 'a: 0750\nb: 1e3\nc: 0x10\nd: [1, 2]\ne: { f: [0644], g: ~ }\nh:\n  - i\n');
});

test('what uses anchors of other sections keeps its order', () => {
  const text = 'containers:\n  a: &a\n    command: [x]\n  b: *a\ntsbox: 1\nname: n\n';
  assert.equal(Object.keys(parse(format(text)) as object), ['containers', 'tsbox', 'name']);
});

test('the examples: the same meaning, and formatting twice is formatting once', () => {
  const directory = join(repository(), 'stacks');
  for (const name of readdirSync(directory).filter((f) => f.endsWith('.yaml'))) {
    const text = readFileSync(join(directory, name), 'utf8');
    const once = formatStack(name, text);
    assert.equal(parse(once, { merge: true }), parse(text, { merge: true }), name);
    assert.is(once, text, `${name} is not in style: tsbox fmt`);
    assert.is(formatStack(name, once), once, name);
    const comments = (t: string): string[] => [...t.matchAll(/(?:^|\s)(#.*)$/gm)].map((m) => m[1]?.trim() ?? '').sort();
    assert.equal(comments(once), comments(text), name);
  }
});

test('any data: idempotent, and means the same', () => {
  const leaf = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.constantFrom('yes', '0644', '1e3', '~', '${a}', '# x', 'a: b'),
  );
  const data = fc.dictionary(
    fc.constantFrom('containers', 'tsbox', 'name', 'x-y', 'cgroups', 'other'),
    fc.oneof(
      leaf,
      fc.array(leaf, { maxLength: 4 }),
      fc.dictionary(fc.stringMatching(/^[a-z]{1,6}$/), leaf, { maxKeys: 4 }),
    ),
    { minKeys: 1 },
  );
  fc.assert(
    fc.property(data, fc.constantFrom('any', 'flow', 'block'), (value, collectionStyle) => {
      const text = stringify(value, { collectionStyle: collectionStyle as 'any' });
      const once = format(text);
      assert.equal(parse(once), parse(text));
      assert.is(format(once), once);
    }),
    { numRuns: 300 },
  );
});

test('what cannot be parsed is refused with its place', () => {
  try {
    format('a: [1\nb: 2\n');
    assert.unreachable();
  } catch (error) {
    const { code, info } = error as { code: string; info: { at: { file: string; line: number } } };
    assert.equal([code, info.at.file], ['TSB1002', 'x.yaml']);
  }
});

test('nothing but comments stays as it is', () => {
  for (const text of ['', '\n', '# only\n# comments\n', '---\n']) {
    assert.is(format(text), text);
  }
});

test('aliases without an end, and a second document, are errors of the file', () => {
  const refused = (text: string): string => {
    try {
      format(text);
    } catch (error) {
      const { code, message, info } = error as TsboxError;
      return [code, info.at?.line, info.at?.column, message].join(' ');
    }
    return 'taken';
  };
  assert.is(refused('a: 1\nb: &b { c: *b }\n'), 'TSB1002 2 12 the alias *b stands inside what it stands for');
  const row = (name: string): string => `[${Array.from({ length: 10 }, () => name).join(', ')}]`;
  const many = `a: &a ${row('1')}\nb: &b ${row('*a')}\nc: &c ${row('*b')}\nd: &d ${row('*c')}\ne: ${row('*d')}\n`;
  assert.match(refused(many), /^TSB1002 {3}x.yaml: its aliases stand for too much/);
  assert.is(
    refused('a: 1\n---\nb: 1\n'),
    'TSB1002 2 1 this is not YAML: a second document begins, where a file has one',
  );
});

test.run();
