/** The reader of plain YAML against the whole of it: what it takes, it reads alike, to the place; the rest it leaves. */
import fc from 'fast-check';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { TsboxError } from '../../src/errors.ts';
import { wholeTree } from '../../src/stack/parse.ts';
import { plainTree } from '../../src/stack/plain.ts';
import { sourceFile, spanOf } from '../../src/stack/source.ts';
import type { Tree } from '../../src/stack/tree.ts';
import { repository } from '../support/sandbox.ts';

const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);
const runs = Number(process.env['FC_RUNS'] ?? 500);
console.log(`fast-check seed ${seed} (FC_SEED to repeat, FC_RUNS for more)`);

/** All that a tree says; of maps and lists over several lines, the end is said by no message. */
function told(tree: Tree): unknown {
  const { size, depth, place } = tree;
  switch (tree.kind) {
    case 'scalar': {
      const { value, written, sensitive, broken } = tree;
      return {
        value,
        minus: Object.is(value, -0),
        written,
        sensitive,
        broken,
        from: place.start,
        to: place.end,
        size,
        depth,
      };
    }
    case 'list':
      return { list: tree.items.map(told), at: spanOf(place), size, depth };
    case 'map':
      return {
        map: [...tree.entries].map(([name, { key, tree: value }]) => [name, key.start, key.end, told(value)]),
        at: spanOf(place),
        size,
        depth,
      };
  }
}

/** Whether the text is plain; throws where it is and means something else to all of YAML. */
function isPlain(text: string): boolean {
  const file = sourceFile('stack.yaml', '/stack.yaml', '/', text);
  const plain = plainTree(file);
  if (plain === undefined) {
    return false;
  }
  const problems: TsboxError[] = [];
  const whole = wholeTree(file, problems);
  assert.equal(
    problems.map((p) => p.message),
    [],
    JSON.stringify(text),
  );
  assert.equal(told(plain), whole === undefined ? undefined : told(whole), JSON.stringify(text));
  return true;
}

/** Pieces of YAML that have a meaning somewhere. */
const piece = fc.constantFrom(
  ...[
    'a',
    'b',
    'c: ',
    'd:',
    '- ',
    '-',
    ' ',
    '  ',
    '    ',
    '\n',
    '\n',
    '\n  ',
    '\n- ',
    '\n  - ',
    '{',
    '}',
    '[',
    ']',
    ', ',
    ',',
  ],
  ...[
    ': ',
    ':',
    '"q"',
    "'s'",
    '"e\\n"',
    "'it''s'",
    '"\\ud800"',
    '1',
    '0x1f',
    '0o17',
    '1.5',
    '1e3',
    '-1',
    '+1',
    '.inf',
    'true',
  ],
  ...[
    'null',
    '~',
    '# c',
    ' # c',
    '#',
    '|\n',
    '>-\n',
    '|2\n',
    '|+\n',
    '| # c\n',
    '---\n',
    '...',
    '*x',
    '&x ',
    '!t ',
    '? ',
  ],
  ...[
    '<<: ',
    'x y',
    'a-b',
    'http://x',
    '%',
    '@',
    '\t',
    'a: 1\n',
    'b: [1, 2]\n',
    'c: {x: y}\n',
    '"k": v\n',
    '\r\n',
    'é',
    '\u200b',
  ],
);
const line = fc.constantFrom(
  ...`
a: 1
b: x y # c
c:
d: [a, "b", 3]
e: {k: v, w: [1, {z: }]}
f: |
g: >-
- 1
- x: 1
  y: 2
- - 2
-
# comment
"q": 's'
i: {
}
j: [
],
text
l: ~
m: 0x10
n:    
- {a: b}
- |
x, y
<<: {a: 1}
k: &a 1
k: *a
k: !!str 1
? x
: y
k: a: b
k: - 1
---
...
1: 2
~: 3
__proto__: 1
k: "open
k: 'x' y
k: {a: 1} x
k: [1 2]
k: [1,,2]
k: [a: b]
k: {a}
k: {"a":b}
k: {a: 1,}
k: [1,# c
k: [1, # c
2]
k: x#y
k: "x"#y
k:v
- -
k: |1
k: |-2 # c
k: ,x
k: ::
`.split('\n'),
);
const indented = fc
  .tuple(fc.constantFrom(0, 0, 0, 2, 2, 2, 4, 4, 1, 3, 6), line)
  .map(([by, text]) => ' '.repeat(by) + text);

const soup = fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join(''));
const lines = fc
  .array(indented, { maxLength: 9 })
  .chain((all) => fc.constantFrom(all.join('\n'), `${all.join('\n')}\n`));

/** A value as YAML, in block style while `flow` is false. */
const written = fc.letrec<{ value: (indent: number, flow: boolean) => string }>((tie) => {
  const scalar = fc
    .constantFrom(
      'x',
      'a b',
      '1',
      '0x1f',
      '-0',
      'true',
      'null',
      '~',
      '"q\\t"',
      "'it''s'",
      '1.5',
      'a-b',
      'x:y',
      '.5',
      'No',
      '',
    )
    .map((text) => () => text);
  const key = fc.constantFrom('a', 'b-c', '"d e"', "'f'", '7', 'true');
  const pad = (indent: number): string => `\n${' '.repeat(indent)}`;
  const comment = fc.constantFrom('', '', ' # why', '\n# all', '\n\n');
  const item = fc.tuple(key, tie('value'), comment);
  const inner = (text: string, flow: boolean): string => (flow && text === '' ? 'x' : text);
  return {
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      scalar,
      fc.uniqueArray(item, { minLength: 1, maxLength: 4, selector: ([k]) => k }).map(
        (items) =>
          (indent: number, flow: boolean): string =>
            flow
              ? `{ ${items.map(([k, v]) => `${k}: ${v(indent, true)}`).join(', ')} }`
              : items.map(([k, v, c]) => `${pad(indent)}${k}: ${v(indent + 2, false)}${c}`).join(''),
      ),
      fc.array(tie('value'), { minLength: 1, maxLength: 4 }).map(
        (items) =>
          (indent: number, flow: boolean): string =>
            flow
              ? `[${items.map((v) => inner(v(indent, true), true)).join(', ')}]`
              : items.map((v) => `${pad(indent)}- ${inner(v(indent + 2, true), true)}`).join(''),
      ),
      fc.constantFrom('|', '>-', '|+').map(
        (header) =>
          (indent: number, flow: boolean): string =>
            flow ? 'text' : `${header}${pad(indent)}text${pad(indent)}  more`,
      ),
    ),
  };
}).value;
const document = written.map((value) => `top: ${value(2, false)}\nlast: 1\n`);

for (const [what, texts, least] of [
  ['pieces of YAML', soup, 0],
  ['lines of YAML', lines, 0.01],
  ['documents', document, 0.5],
] as const) {
  test(`${what}: what is read as plain means the same to all of YAML`, () => {
    let plain = 0;
    fc.assert(
      fc.property(texts, (text) => {
        plain += isPlain(text) ? 1 : 0;
      }),
      { seed, numRuns: runs * 4 },
    );
    assert.ok(plain >= least * runs, `${plain} of ${runs * 4} were plain`);
  });
}

test('every example is plain, and the bad ones that are YAML mean the same', () => {
  for (const [directory, all] of [
    ['stacks', true],
    ['test/bad-stacks', false],
  ] as const) {
    for (const name of readdirSync(join(repository(), directory)).filter((n) => n.endsWith('.yaml'))) {
      const text = readFileSync(join(repository(), directory, name), 'utf8');
      assert.ok(isPlain(text) || !all, name);
    }
  }
});

test.run();
