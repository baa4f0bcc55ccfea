/** The fast reader against the YAML library: where it gives a tree, the library gives the same one without an error. */
import fc from 'fast-check';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { TsboxError } from '../../src/errors.ts';
import { PLAIN_OPTIONS, parseWhole } from '../../src/stack/parse.ts';
import { readPlain } from '../../src/stack/plain-yaml.ts';
import { sourceFile } from '../../src/stack/source.ts';
import type { Place } from '../../src/stack/source.ts';
import type { Tree } from '../../src/stack/tree.ts';

const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);
const runs = Number(process.env['FC_RUNS'] ?? 2000);
console.log(`fast-check seed ${seed} (FC_SEED to repeat, FC_RUNS for more)`);

/** A tree as comparable data: values as written, where they start, and where scalars end. */
function outline(tree: Tree): unknown {
  const from = (place: Place): number => place.start;
  switch (tree.kind) {
    case 'scalar':
      return tree.value === null && tree.written === undefined ? null : [tree.value, tree.written, from(tree.place), tree.place.end];
    case 'list':
      return { at: from(tree.place), size: tree.size, depth: tree.depth, items: tree.items.map(outline) };
    case 'map':
      return { at: from(tree.place), size: tree.size, depth: tree.depth, entries: [...tree.entries].map(([key, e]) => [key, e.key.start, e.key.end, outline(e.tree)]) };
  }
}

let plain = 0;
let total = 0;

/** Throws when the two disagree. */
function agree(text: string): void {
  const file = sourceFile('f', '/f', '/', text);
  total++;
  const fast = readPlain(file, PLAIN_OPTIONS);
  if (fast === undefined) {
    return;
  }
  plain++;
  const problems: TsboxError[] = [];
  const whole = parseWhole(file, problems);
  assert.equal(problems.map((p) => `${p.message} ${p.info.at?.line}`), [], JSON.stringify(text));
  assert.ok(whole, JSON.stringify(text));
  assert.equal(JSON.stringify(outline(fast)), JSON.stringify(outline(whole as Tree)), JSON.stringify(text));
}

const oddScalar = fc.constantFrom(
  'a', 'word', 'two words', '5', '-1', '+3', '007', '1.50', '.5', '1.', '1e3', '0x1f', '0o17', '-', '--', '-x', '~', 'null', 'Null', 'true', 'False', 'TRUE', 'yes', 'no', '.inf', '-.inf', '.nan',
  '"q"', '"a # b"', '"a: b"', "'s'", "'it''s'", '""', "''", '"\\n"', 'a#b', 'a #c', 'a: b', 'a:', 'a:b', ':a', '?a', '? a', '!t a', '@a', '`a', '%a', '|', '>', '| x', '*x', '*y', '&x a', '&y [ 1 ]', '&z', 'x, y', 'x]', '[', '{', '}',
  '${a}', '$a', '150%', 'container/db', 'pid:1', '/bin/true', './x', '8:0', 'é', '日本', '🎉', 'a\tb', 'a\u00a0b', 'a ', ' a', '<<', '=', 'a "b"', "a 'b'", '"a" b', '-1.5e', '1_000', '2020-01-01', '12:30',
);
const oddKey = fc.constantFrom('a', 'b', 'c', 'd', 'key', 'x-y', '<<', '"q"', "'s'", '"<<"', '8:0', '5', 'null', 'true', '/p', 'a b', '-x', '""', '*x', '&k a', 'constructor', '__proto__', 'a.b', '"é"', '?', '~');
const goodScalar = fc.constantFrom('a', 'two words', '5', '-1', '007', '1.50', '"q"', "'it''s'", 'true', 'null', '150%', '/bin/true', 'a#b', 'a:b', '8:0', 'container/db', '-x', '$a', '""', 'a "b"', '.5', '1_000', 'yes', '-1.5', '12:30', 'é');
const scalar = fc.oneof({ weight: 30, arbitrary: goodScalar }, { weight: 1, arbitrary: oddScalar });
const goodKey = fc.integer({ min: 0, max: 300 }).map((n) => `k${n}`);
const key = fc.oneof({ weight: 30, arbitrary: goodKey }, { weight: 1, arbitrary: oddKey });
const gap = fc.constantFrom('', '', '', '', '', '', '', '', '', '', '', '', '', ' ', '  ', '\n', ' # note', '\n# note', '\n\n', '\n      ', '\n   # note\n  ');

const flow: fc.Arbitrary<string> = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 3 },
    { weight: 5, arbitrary: scalar },
    { weight: 2, arbitrary: fc.tuple(fc.array(fc.tuple(gap, tie('node'), gap), { maxLength: 4 }), gap).map(([items, end]) => `[ ${items.map(([a, n, b]) => `${a}${n}${b}`).join(', ')}${end} ]`) },
    { weight: 2, arbitrary: fc.tuple(fc.array(fc.tuple(gap, key, fc.oneof({ weight: 30, arbitrary: fc.constant(': ') }, { weight: 1, arbitrary: fc.constantFrom(':', ':  ', ' : ') }), tie('node'), gap), { maxLength: 4 }), gap).map(([pairs, end]) => `{ ${pairs.map(([a, k, c, n, b]) => `${a}${k}${c}${n}${b}`).join(', ')}${end} }`) },
  ),
})).node;

/** Lines at random depth: mostly well formed, often not. */
const line = fc.tuple(
  fc.constantFrom(0, 0, 0, 2, 2, 2, 4, 4, 1, 3, 6),
  fc.oneof(
    { weight: 6, arbitrary: fc.tuple(key, flow).map(([k, v]) => `${k}: ${v}`) },
    { weight: 5, arbitrary: key.map((k) => `${k}:`) },
    { weight: 1, arbitrary: fc.tuple(key, fc.constantFrom('&x', '&y', '&w', '!t', '|', '>-', '# note')).map(([k, v]) => `${k}: ${v}`) },
    { weight: 3, arbitrary: flow.map((v) => `- ${v}`) },
    { weight: 2, arbitrary: fc.tuple(key, flow).map(([k, v]) => `- ${k}: ${v}`) },
    { weight: 1, arbitrary: fc.constantFrom('', '# note', '-', '- - a', '---', '...', 'text', '- |', '%x', '-  a', '- a:') },
  ),
  fc.constantFrom('', '', '', '', ' ', ' # note', '  '),
).map(([depth, text, end]) => `${' '.repeat(depth)}${text}${end}`);
const lines = fc.array(line, { minLength: 1, maxLength: 8 }).map((all) => `${all.join('\n')}\n`);
/** Nested on purpose, so that deep structures are reached. */
const block: fc.Arbitrary<string> = fc.letrec<{ map: string; value: string }>((tie) => ({
  value: fc.oneof({ maxDepth: 4 }, flow.map((v) => ` ${v}`), tie('map').map((m) => `\n${indented(m, 2)}`), tie('map').map((m) => `\n${indented(m, 1)}`), fc.array(tie('value'), { minLength: 1, maxLength: 3 }).map((items) => items.map((v) => `\n- ${v.trimStart().replaceAll('\n', '\n  ')}`).join(''))),
  map: fc.array(fc.tuple(key, tie('value')), { minLength: 1, maxLength: 3 }).map((pairs) => pairs.map(([k, v]) => `${k}:${v}`).join('\n')),
})).map;

function indented(text: string, by: number): string {
  return text.split('\n').map((l) => ' '.repeat(by) + l).join('\n');
}

const mutate = fc.tuple(fc.oneof(block, lines), fc.array(fc.tuple(fc.nat(), fc.nat(3), fc.constantFrom('', ' ', '\n', ':', ': ', '- ', '#', ' #', ',', '[', ']', '{', '}', '"', "'", '&x ', '*x', '  ', '\t')), { maxLength: 3 })).map(([text, edits]) =>
  edits.reduce((all, [at, gone, put]) => all.slice(0, at % (all.length + 1)) + put + all.slice((at % (all.length + 1)) + gone), text),
);

for (const [what, arbitrary] of [['random lines', lines], ['nested blocks', block], ['with random changes', mutate]] as const) {
  test(`${what}: the same tree`, () => {
    fc.assert(fc.property(arbitrary, agree), { seed, numRuns: runs });
  });
}

test('the malformed stacks too', () => {
  for (const name of readdirSync('test/bad-stacks').filter((n) => n.endsWith('.yaml'))) {
    agree(readFileSync(`test/bad-stacks/${name}`, 'utf8'));
  }
});

test('the fast reader did read something', () => {
  console.log(`${plain} of ${total} read by the fast reader`);
  assert.ok(plain > total / 50);
});

test.run();
