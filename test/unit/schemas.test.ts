/** The schemas of docs/schema: current, and true of what tsbox reads and writes. */
import { Ajv, type ValidateFunction } from 'ajv';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TsboxError } from '../../src/errors.ts';
import { abstractJson, cleanupJson, conclusionJson, fileJson, planJson, runJson } from '../../src/report/test/json.ts';
import { parse } from 'yaml';
import { allSchemas } from '../../scripts/schema/all.ts';
import { random, randomStack, stackText } from '../support/random-stack.ts';
import { repository } from '../support/sandbox.ts';

const root = repository();
const ajv = new Ajv({ strict: true, allowUnionTypes: true, allErrors: true });
const validators = new Map<string, ValidateFunction>();

function validator(name: string): ValidateFunction {
  const known = validators.get(name);
  if (known !== undefined) {
    return known;
  }
  const schema = JSON.parse(readFileSync(join(root, 'docs/schema', `${name}.schema.json`), 'utf8')) as object;
  const compiled = ajv.compile(schema);
  validators.set(name, compiled);
  return compiled;
}

function problems(name: string, value: unknown): string[] {
  const check = validator(name);
  return check(value)
    ? []
    : (check.errors ?? []).map((e) => `${e.instancePath} ${e.message} ${JSON.stringify(e.params)}`);
}

test('they are what npm run schema writes', () => {
  for (const [name, text] of allSchemas()) {
    assert.is(readFileSync(join(root, 'docs/schema', name), 'utf8'), text, `${name} is out of date: npm run schema`);
  }
});

test('every example stack and its tests fit, and names its schema for editors', () => {
  const files = readdirSync(join(root, 'stacks')).filter((f) => f.endsWith('.yaml'));
  assert.ok(files.length > 5);
  for (const file of files) {
    const text = readFileSync(join(root, 'stacks', file), 'utf8');
    const schema = file.endsWith('.test.yaml') ? 'test' : 'stack';
    assert.ok(text.startsWith(`# yaml-language-server: $schema=../docs/schema/${schema}.schema.json\n`), file);
    assert.equal(problems(schema, parse(text, { merge: true })), [], file);
  }
  const r = random(5);
  for (let i = 0; i < 50; i++) {
    assert.equal(problems('stack', JSON.parse(stackText('random', randomStack(r)))), []);
  }
});

test('wrong keys and values do not fit', () => {
  const of = (text: string): string[] => problems('stack', parse(text));
  const container = (text: string): string[] =>
    of(`{ tsbox: 1, name: a, containers: { web: { command: [x], ${text} } } }`);
  assert.equal(container('memory: { max: "${limit}" }, pids: { max: "${n}" }, nice: "${n}"'), []);
  assert.match(container('comand: x').join(), /additionalProperty":"comand"/);
  assert.match(container('memory: { maximum: 1 }').join(), /additionalProperty":"maximum"/);
  assert.ok(container('restart: { policy: sometimes }').length > 0);
  assert.ok(container('tty: 7').length > 0);
  assert.ok(of('{ tsbox: 1, name: a, cgroups: { a: { children: { b: { cpus: 1 } } } } }').length > 0);
  assert.equal(of('{ tsbox: 1, name: a, cgroups: { a: { children: { b: { pids: { max: 1 } } } } }, x-more: 1 }'), []);
  assert.ok(of('{ tsbox: 2, name: a }').length > 0);
});

test('events of tests fit', () => {
  const run = { name: 'a', status: 'fail', ms: 12.3, problems: [] } as const;
  const file = {
    name: 'a.test.yaml',
    status: 'fail',
    runs: [run],
    left: [new TsboxError('TSB3008', 'still there')],
  } as const;
  const lines = [
    abstractJson([file]),
    fileJson(file),
    runJson(file.name, run),
    planJson(file.name, run.name, { format_version: '1.2' }),
    cleanupJson(file),
    conclusionJson([file]),
  ];
  for (const line of lines) {
    assert.equal(problems('event', JSON.parse(line)), [], line);
  }
});

test('what is kept in test/golden fits', () => {
  const golden = (path: string): string => readFileSync(join(root, 'test/golden', path), 'utf8');
  assert.equal(problems('plan', JSON.parse(golden('plan/plan.json'))), []);
  assert.equal(problems('state', JSON.parse(golden('plan/state.json'))), []);
  assert.equal(problems('drift', JSON.parse(golden('drift/report.json'))), []);
  for (const line of golden('plan/plan.jsonl').trimEnd().split('\n')) {
    assert.equal(problems('event', JSON.parse(line)), [], line.slice(0, 200));
  }
});

test('what is not so does not fit', () => {
  const plan = JSON.parse(readFileSync(join(root, 'test/golden/plan/plan.json'), 'utf8')) as Record<string, unknown>;
  assert.ok(problems('plan', { ...plan, format_version: '2.0' }).length > 0);
  assert.ok(problems('plan', { ...plan, resource_changes: [{}] }).length > 0);
  assert.ok(problems('event', { type: 'version' }).length > 0);
});

test.run();
