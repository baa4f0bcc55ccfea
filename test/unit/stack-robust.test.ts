/** Hostile stack files: a clear error, soon and in little memory. Generated here, because some are large or binary. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { TsboxError } from '../../src/errors.ts';
import { loadStack, renderErrors } from '../../src/stack/index.ts';
import { errorsOf, load, stack, withFiles } from '../support/stacks.ts';

/** Generous: what is guarded against takes minutes or ends the process. */
const SOON = Number(process.env['SOON_MS'] ?? 30_000);

function first(text: string | Uint8Array): TsboxError {
  const begin = performance.now();
  const errors = errorsOf({ 'stack.yaml': text });
  assert.ok(renderErrors(errors).length < 100_000);
  const ms = performance.now() - begin;
  assert.ok(ms < SOON, `took ${ms} ms`);
  return errors[0] as TsboxError;
}

function told(error: TsboxError): string {
  return `${error.code} ${error.info.at?.line ?? '-'}:${error.info.at?.column ?? '-'} ${error.message.replace(/'\/.*\//, "'")}`;
}

test('a file over 10 MB is refused before it is parsed', () => {
  assert.is(told(first(Buffer.alloc(10_000_001, 'a: 1\n'))), "TSB1007 -:- 'stack.yaml' has 10000001 bytes");
});

test('what is not UTF-8 is told by byte, line and column', () => {
  assert.is(
    told(first(Buffer.from([0x61, 0x3a, 0x0a, 0x62, 0x3a, 0x20, 0xff, 0x0a]))),
    "TSB1001 2:4 'stack.yaml' is not UTF-8 text: byte 0xff at offset 6",
  );
  assert.match(first(Buffer.from('\ufefftsbox: 1', 'utf16le')).info.hint ?? '', /UTF-16/);
  assert.is(first(Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0x80, 0, 0])).code, 'TSB1001');
  assert.is(first(Buffer.concat([Buffer.alloc(9_000_000, 'a: 1\n'), Buffer.from([0xc0])])).info.at?.line, 1_800_001);
});

test('a byte order mark is nothing', () => {
  assert.is(load({ 'stack.yaml': `\ufeff${stack('')}` }).name, 'shop');
});

test('depth is bounded before anything recursive runs', () => {
  const towers: Readonly<Record<string, string>> = {
    lists: '['.repeat(1_000_000),
    maps: '{a: '.repeat(100_000),
    'closed lists': `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
    dashes: '- '.repeat(100_000),
    questions: '? '.repeat(100_000),
    blocks: Array.from({ length: 2000 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
    mixed: '- [{a: '.repeat(50_000),
  };
  for (const [name, text] of Object.entries(towers)) {
    const error = first(`x: \n  ${text}`);
    assert.is(error.code, 'TSB1007', `${name}: ${told(error)}`);
  }
});

test('sixty-four levels are fine', () => {
  assert.is(load(stack(`x-deep: ${'['.repeat(63)}${']'.repeat(63)}\n`)).name, 'shop');
  assert.is(errorsOf(stack(`x-deep: ${'['.repeat(64)}${']'.repeat(64)}\n`))[0]?.code, 'TSB1007');
});

test('aliases are counted, not written out', () => {
  const wide = Array.from(
    { length: 20 },
    (_, i) => `x-${i + 1}: &a${i + 1} [ ${Array(20).fill(`*a${i}`).join(', ')} ]`,
  ).join('\n');
  assert.is(first(stack(`x-0: &a0 [ lol ]\n${wide}\n`)).code, 'TSB1007');
  const deep = Array.from({ length: 70 }, (_, i) => `x-${i + 1}: &a${i + 1} [ *a${i} ]`).join('\n');
  assert.is(first(stack(`x-0: &a0 [ lol ]\n${deep}\n`)).code, 'TSB1007');
  const merges = Array.from(
    { length: 40 },
    (_, i) => `x-${i + 1}: &a${i + 1} { <<: [ *a${i}, *a${i} ], k${i}: { <<: *a${i}, v: *a${i} } }`,
  ).join('\n');
  assert.is(first(stack(`x-0: &a0 { k: 1 }\n${merges}\n`)).code, 'TSB1007');
});

test('long files end at the number of tokens', () => {
  for (const line of [
    'k: 1\n',
    '\n',
    '# x\n',
    '- {x: 1, y: foo}\n',
    '"\n',
    ']',
    ': ',
    '&a ',
    '---\n',
    '%a\n',
    ',',
    '!a ',
    '*a ',
  ]) {
    const error = first(line.repeat(Math.floor(2_000_000 / line.length)));
    assert.match(error.code, /^TSB100[27]$/, `${JSON.stringify(line)}: ${told(error)}`);
  }
});

test('many different keys, references and misspellings stay quick', () => {
  const containers = Array.from(
    { length: 3000 },
    (_, i) => `  c${i}: { command: [ x ], depends_on: [ d${i} ], cgroup: g${i} }`,
  ).join('\n');
  assert.is(first(stack(`containers:\n${containers}\n`)).code, 'TSB1004');
  const keys = Array.from({ length: 30_000 }, (_, i) => `  k${i}: 1`).join('\n');
  assert.is(
    first(
      stack(`containers:\n  db:\n    command: [ x ]\n    env: {}\n    cpu:\n${keys.replaceAll('  k', '      k')}\n`),
    ).code,
    'TSB1003',
  );
  const variables = Array.from({ length: 5000 }, (_, i) => `  v${i}: {}`).join('\n');
  const uses = Array.from({ length: 5000 }, (_, i) => `\${w${i}}`)
    .map((use) => `      - "${use}"`)
    .join('\n');
  assert.is(first(stack(`variables:\n${variables}\ncontainers:\n  db:\n    command:\n${uses}\n`)).code, 'TSB1006');
  const circle = Array.from(
    { length: 400 },
    (_, i) =>
      `  c${i}: { command: [ x ], depends_on: [ ${Array.from({ length: 40 }, (__, j) => `c${(i + j + 1) % 400}`).join(', ')} ] }`,
  ).join('\n');
  assert.is(first(stack(`containers:\n${circle}\n`)).code, 'TSB1005');
});

test('interpolation does not grow without end', () => {
  const big = 'a'.repeat(600_000);
  assert.is(
    first(stack(`variables: { v: { default: ${big} } }\ncontainers: { db: { command: [ "\${v}\${v}" ] } }\n`)).code,
    'TSB1007',
  );
  const many = Array(100).fill('"x${v}"').join(', ');
  assert.is(
    first(stack(`variables: { v: { default: ${big} } }\ncontainers: { db: { command: [ ${many} ] } }\n`)).code,
    'TSB1007',
  );
  assert.is(first(stack(`containers: { db: { command: [ "${'${a:-'.repeat(50_000)}" ] } }\n`)).code, 'TSB1006');
  assert.is(
    first(
      stack(`variables: { a: {} }\ncontainers: { db: { command: [ "${'${a:-'.repeat(100)}${'}'.repeat(100)}" ] } }\n`),
    ).code,
    'TSB1007',
  );
});

test('files that are none, and links out of the directory', () => {
  withFiles({ 'in/stack.yaml': stack('include: [ pipe, link.yaml, sub ]\n'), 'out.yaml': 'x-a: 1\n' }, (directory) => {
    execFileSync('mkfifo', [`${directory}/in/pipe`]);
    symlinkSync('../out.yaml', `${directory}/in/link.yaml`);
    mkdirSync(`${directory}/in/sub`);
    const complaint = (file: string): string => {
      try {
        loadStack([`${directory}/${file}`], { env: {} });
        return 'no error';
      } catch (error) {
        return (error as { errors: readonly TsboxError[] }).errors.map(told).join('; ');
      }
    };
    const found = complaint('in/stack.yaml');
    assert.match(found, /pipe': it is not a regular file/);
    assert.match(found, /'link\.yaml' lies outside/);
    assert.match(found, /sub': it is a directory/);
    assert.match(complaint('in/none.yaml'), /there is no such file/);
    assert.match(complaint('in'), /it is a directory/);
  });
});

test('an include of a very branching tree reads each file once', () => {
  const files: Record<string, string> = { 'stack.yaml': stack('include: [ 0.yaml ]\n') };
  for (let i = 0; i < 60; i++) {
    files[`${i}.yaml`] = `include: [ ${i + 1}.yaml, ./${i + 1}.yaml, ${Math.min(60, i + 2)}.yaml ]\n`;
  }
  files['60.yaml'] = 'x-end: 1\n';
  assert.is(load(files).files.length, 62);
});

test('object keys do not reach any prototype', () => {
  for (const key of ['__proto__', 'constructor', 'prototype', '"__proto__"', "'__proto__'"]) {
    for (const text of [
      `${key}: { polluted: 1 }`,
      `containers: { ${key}: { command: [ x ] } }`,
      `x-a: { b: [ { ${key}: 1 } ] }`,
      `x-b: &b { ${key}: 1 }\nx-c: { <<: *b }`,
    ]) {
      assert.match(errorsOf(stack(`${text}\n`))[0]?.message ?? '', /cannot be a key/);
    }
  }
  assert.match(
    errorsOf(stack('containers: { a: { command: [ x ], env: [ __proto__=1 ] } }\n'))[0]?.message ?? '',
    /cannot name/,
  );
  assert.is(({} as Record<string, unknown>)['polluted'], undefined);
});

test.run();
