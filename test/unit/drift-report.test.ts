/** The drift report: golden outputs of every format, severities, ignore rules, history. */
import { Ajv } from 'ajv';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { PLAIN } from '../../src/report/palette.ts';
import { directionOf } from '../../src/report/drift/direction.ts';
import { driftHtml } from '../../src/report/drift/html.ts';
import { findItems, type Finding } from '../../src/report/drift/items.ts';
import { parseRuns, pastOf, runLine } from '../../src/report/drift/history.ts';
import { driftJson, driftJsonSchema } from '../../src/report/drift/json.ts';
import { driftJunit } from '../../src/report/drift/junit.ts';
import { driftMarkdown } from '../../src/report/drift/markdown.ts';
import { COMMENT_LIMIT } from '../../src/report/values.ts';
import { driftReport } from '../../src/report/drift/model.ts';
import { driftPrometheus } from '../../src/report/drift/prometheus.ts';
import { driftSarif } from '../../src/report/drift/sarif.ts';
import { SEVERITY_RULES } from '../../src/report/drift/severity.ts';
import { driftText } from '../../src/report/drift/text.ts';
import { lastWriters, writerLine } from '../../src/report/drift/writers.ts';
import { fitsGlob } from '../../src/resources/glob.ts';
import { KINDS } from '../../src/resources/registry.ts';
import { changeOf, drifted, example, extra, NOW, planOf } from '../support/drift-example.ts';
import { repository } from '../support/sandbox.ts';

const GOLDEN = join(repository(), 'test/golden/drift');

/** Compared with the file; UPDATE=1 writes it. */
function golden(name: string, text: string): void {
  const file = join(GOLDEN, name);
  if (process.env['UPDATE'] === '1') {
    mkdirSync(GOLDEN, { recursive: true });
    writeFileSync(file, text);
  }
  assert.ok(existsSync(file), `${file} is not there: run with UPDATE=1`);
  assert.fixture(text, readFileSync(file, 'utf8'));
}

const { reports } = example();

test('every format as it was looked at', () => {
  golden('report.txt', driftText(reports, PLAIN));
  golden('report.json', driftJson(reports, '0.1.0', { bootId: 'boot', installation: 'here' }));
  golden('report.md', driftMarkdown(reports));
  golden('report.html', driftHtml(reports, '0.1.0'));
  golden('report.junit.xml', driftJunit(reports));
  golden('report.sarif', driftSarif(reports, '0.1.0', '/repo'));
  golden('report.prom', driftPrometheus(reports));
});

/** Where Microsoft's package keeps the published schema (draft 4); it has no types of its own. */
const SARIF = '@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json';

function sarifSchema(): Record<string, unknown> | undefined {
  try {
    return createRequire(join(repository(), 'package.json'))(SARIF) as Record<string, unknown>;
  } catch {
    console.log('# SKIP SARIF: @microsoft/jest-sarif is not installed');
    return undefined;
  }
}

const published = sarifSchema();
(published === undefined ? test.skip : test)('SARIF fits its published schema', () => {
  const { $schema: _, id: __, ...schema } = published ?? {};
  // Its patterns are older than the unicode flag, and draft 4 differs in nothing it uses.
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false, unicodeRegExp: false });
  const check = ajv.compile(schema);
  assert.equal(check(JSON.parse(driftSarif(reports, '0.1.0', '/repo'))) ? [] : check.errors, []);
  assert.not.ok(check({ version: '2.1.0', runs: [{ results: [] }] }), 'the schema refuses a run without a tool');
});

/** Attributes and children of Jenkins' junit-10.xsd, as far as we write them; xmllint agreed with it. */
const JUNIT: Readonly<Record<string, readonly string[]>> = {
  testsuites: ['name', 'time', 'tests', 'failures', 'errors'],
  testsuite: ['name', 'tests', 'failures', 'errors', 'time', 'timestamp', 'hostname', 'skipped', 'id', 'package'],
  testcase: ['name', 'classname', 'time', 'status', 'assertions'],
  failure: ['type', 'message'],
  skipped: ['type', 'message'],
};

test('JUnit has the elements and attributes of its published schema', () => {
  const xml = driftJunit(reports);
  const tags = [...xml.matchAll(/<([a-z]+)((?: [a-z]+="[^"<]*")*)\/?>/g)];
  assert.is(tags.length, (xml.match(/<[a-z]/g) ?? []).length, 'every element is one that is looked at');
  for (const [, name = '', attributes = ''] of tags) {
    for (const [, attribute = ''] of attributes.matchAll(/ ([a-z]+)="[^"]*"/g)) {
      assert.ok(JUNIT[name]?.includes(attribute), `${name} ${attribute}`);
    }
  }
  assert.match(xml, />declared at [^\n]+:\d+\n/);
});

test('JSON fits its schema and loses nothing', () => {
  const parsed = driftJsonSchema.parse(
    JSON.parse(driftJson(reports, '0.1.0', { bootId: 'boot', installation: 'here' })),
  );
  assert.is(parsed.items.length, reports[0]?.items.length);
  assert.is(parsed.drifted, true);
  assert.equal(
    parsed.ignored.map((i) => i.attribute),
    ['cpu.weight'],
  );
});

test('an ignored item is counted apart, and an ended rule warns and does not hold', () => {
  const [shop] = reports;
  assert.ok(shop?.items.some((i) => i.attribute === 'pids.max'));
  assert.match(shop?.warnings.join() ?? '', 'not ignored any more: the rule (trial) ended with 2026-11-20');
  assert.not.ok(shop?.items.some((i) => i.attribute === 'cpu.weight'));
});

test('a rule holds through its last day', () => {
  const plan = planOf('s', [changeOf('cgroup/a', { attributes: [drifted('pids.max', '1', '2')] })]);
  const settings = {
    ignore: [{ address: 'cgroup/*', attribute: '*', reason: 'r', until: '2026-11-26' }],
    severity: [],
  };
  const on = (now: string) =>
    driftReport({ plan, settings, against: 'file', files: [], heal: null, now: Date.parse(now) }).items.length;
  assert.is(on('2026-11-26T23:59:59Z'), 0);
  assert.is(on('2026-11-27T00:00:00Z'), 1);
});

test('what lets more through is worse than what lets less', () => {
  const severityOf = (attribute: string, applied: string, live: string) =>
    driftReport({
      plan: planOf('s', [changeOf('cgroup/a', { attributes: [drifted(attribute, applied, live)] })]),
      against: 'file',
      files: [],
      heal: null,
      now: NOW,
    }).items[0]?.severity;
  const rows = [
    ['memory.max', '100', 'max', 'security'],
    ['memory.max', '200', '100', 'capacity'],
    ['memory.high', 'max', '4096', 'capacity'],
    ['cpu.max', '50000 100000', '60000 100000', 'security'],
    ['cpu.max', '50000 100000', '100000 200000', 'capacity'],
    ['pids.max', '9', '10', 'security'],
    ['pids.max', '10', '9', 'capacity'],
    ['cpuset.cpus', '0-1', '0-3', 'security'],
    ['cpuset.cpus', '0-3', '2', 'capacity'],
    ['cpu.weight', '100', '200', 'capacity'],
    ['cgroup.pressure', '1', '0', 'cosmetic'],
    ['memory.low', '4096', '0', 'capacity'],
  ] as const;
  for (const [attribute, applied, live, severity] of rows) {
    assert.is(severityOf(attribute, applied, live), severity, `${attribute} ${applied} -> ${live}`);
  }
});

test('what a plan refuses is no healing', () => {
  const attributes = [drifted('command', ['a'], ['b'], 'replace')];
  const blocked = { by: 'protection', message: 'it is protected' } as const;
  const plan = planOf('s', [changeOf('container/a', { action: 'replace', attributes, blocked })]);
  const [item] = driftReport({ plan, against: 'file', files: [], heal: 'x', now: NOW }).items;
  assert.is(item?.heal.text, 'refused: it is protected');
});

test('what no apply removes has its command in every text, and no apply is named for it alone', () => {
  const plan = planOf('s', [changeOf('container/a', { attributes: [drifted('pids.max', '4', '5')] })]);
  const [changed] = findItems(plan, 'tsbox apply -f s.yaml');
  assert.ok(changed);
  const heal = { action: 'by-hand', text: 'by hand', command: 'rmdir /sys/fs/cgroup/odd' } as const;
  const odd: Finding = { ...changed, id: 'odd', class: 'unmanaged', attribute: 'cgroup', heal };
  const texts = (findings: readonly Finding[]): readonly string[] => {
    const report = driftReport({ plan, against: 'file', files: [], findings, heal: 'tsbox apply -f s.yaml', now: NOW });
    return [driftText([report], PLAIN), driftMarkdown([report]), driftHtml([report], '0.1.0')];
  };
  for (const text of texts([odd])) {
    assert.match(text, 'rmdir /sys/fs/cgroup/odd');
    assert.not.match(text, 'Heal with');
  }
  for (const text of texts([changed, odd])) {
    assert.match(text, 'Heal with');
  }
});

test('directions of maps, sets, devices and modes', () => {
  const direction = (name: string, was: Parameters<typeof directionOf>[2], is: Parameters<typeof directionOf>[2]) =>
    directionOf(name, undefined, was, is);
  assert.is(direction('io.max', { '8:0': 'rbps=100' }, { '8:0': 'rbps=200' }), 'loosened');
  assert.is(direction('io.max', { '8:0': 'rbps=100' }, {}), 'loosened');
  assert.is(direction('io.max', {}, { '8:0': 'rbps=100' }), 'tightened');
  assert.is(direction('io.max', { '8:0': 'rbps=100 wbps=5' }, { '8:0': 'rbps=50 wbps=9' }), 'loosened');
  assert.is(direction('capabilities', ['CHOWN'], ['CHOWN', 'SYS_ADMIN']), 'loosened');
  assert.is(direction('capabilities', ['CHOWN', 'KILL'], ['CHOWN']), 'tightened');
  assert.is(direction('devices', ['allow c 1:3 rwm'], ['allow c 1:3 rw']), 'tightened');
  assert.is(direction('devices', ['allow c 1:3 rw'], ['allow c 1:3 rwm']), 'loosened');
  assert.is(direction('devices', ['allow c 1:3 rw'], ['program abc that cannot be read back']), 'loosened');
  assert.is(
    direction('devices', ['allow c 1:3 rw', 'allow c 1:5 rw'], ['allow c 1:3 rw', 'allow c 1:7 r']),
    'loosened',
  );
  assert.is(direction('mode', '0700', '0755'), 'loosened');
  assert.is(direction('mode', '0755', '0700'), 'tightened');
  assert.is(direction('masked_paths', ['/proc/kcore'], []), 'loosened');
  assert.is(direction('no_new_privs', '1', '0'), 'loosened');
});

test('rows of the severity table name attributes that exist', () => {
  const names = [
    ...new Set(KINDS.flatMap((k) => [...k.attributes.keys()])),
    'process',
    'cgroup',
    'mount',
    'program',
    'netdev',
  ];
  for (const rule of SEVERITY_RULES) {
    for (const pattern of rule.attributes ?? []) {
      assert.ok(
        names.some((n) => fitsGlob(pattern, n)),
        `no attribute ${pattern}`,
      );
    }
  }
  assert.equal(Object.keys(SEVERITY_RULES.at(-1) ?? {}), ['severity', 'why'], 'the last row fits everything');
});

test('globs', () => {
  const rows: ReadonlyArray<readonly [string, string, boolean]> = [
    ['*', '', true],
    ['container/web*', 'container/web[1]', true],
    ['container/web[1]', 'container/web[1]', true],
    ['container/web[1]', 'container/web1', false],
    ['*.max', 'memory.swap.max', true],
    ['memory.?ax', 'memory.max', true],
    ['a*b*c', 'aXbYbZc', true],
    ['a*b*c', 'aXbYbZ', false],
    ['', 'x', false],
  ];
  for (const [pattern, text, fits] of rows) {
    assert.is(fitsGlob(pattern, text), fits, `${pattern} on ${text}`);
  }
  // A pattern cannot make it slow.
  const began = performance.now();
  fitsGlob('*a'.repeat(200), 'a'.repeat(5000) + 'b');
  assert.ok(performance.now() - began < 1000);
});

test('history: garbage is left out, times are counted from absence to presence', () => {
  const run = (time: string, ids: string[]) =>
    JSON.stringify({ v: 1, time, boot: '', items: ids.map((id) => ({ id, address: 'a', severity: 'security' })) });
  const runs = parseRuns(
    [
      'nonsense',
      '{"v":2}',
      '[]',
      'null',
      '{"v":1,"time":"2026-11-20T00:00:00Z","items":[null]}',
      run('2026-11-23T00:00:00Z', ['x']),
      run('2026-11-21T00:00:00Z', ['x']),
      run('2026-11-22T00:00:00Z', []),
      run('2026-11-24T00:00:00Z', []),
    ].join('\n'),
  );
  assert.is(runs.length, 4);
  const past = pastOf(runs, 'x', NOW);
  assert.is(past?.times, 3, 'twice before, and now');
  assert.is(past?.timesThisWeek, 3);
  assert.is(past?.firstSeen, '2026-11-21T00:00:00Z');
  assert.is(past?.lastSeen, '2026-11-23T00:00:00Z');
  assert.is(past?.lastWithout, '2026-11-24T00:00:00Z');
  assert.is(pastOf(runs, 'y', NOW), null);
  const [shop] = reports;
  const again = parseRuns(runLine(shop as NonNullable<typeof shop>, 'boot'));
  assert.is(again[0]?.items.length, shop?.items.length);
});

test('a comment is never longer than the forge takes, and never cut in a fence or a tag', () => {
  const many = Array.from({ length: 900 }, (_, i) =>
    changeOf(`container/app${i}`, {
      attributes: [drifted('pids.max', '10', '20'), drifted('hostname', 'a', '`'.repeat(30))],
      extras: [extra('process', `process ${i} (sleep) in pids`)],
    }),
  );
  const report = driftReport({
    plan: planOf('big', many),
    against: 'file',
    files: [],
    heal: 'tsbox apply',
    now: NOW,
  });
  for (const limit of [COMMENT_LIMIT, 20_000, 3000]) {
    const text = driftMarkdown([report], limit);
    assert.ok(text.length <= limit && text.length > 100, `${text.length} of ${limit}`);
    const count = (pattern: RegExp) => text.match(pattern)?.length ?? 0;
    assert.is(count(/<details>/g), count(/<\/details>/g));
    assert.is(count(/^`{3,}$/gm) % 2, 0);
    assert.match(text, 'left out');
    assert.match(text, '2700 items');
  }
});

test('nothing in a report is markup of its own', () => {
  const markdown = driftMarkdown(reports)
    .replace(/^(`{3,})$[^]*?^\1$/gm, '')
    .replace(/`[^`]*`/g, '');
  assert.not.match(markdown, '<img');
  assert.not.match(markdown, /[^;]@everyone/);
  assert.not.match(driftJunit(reports), '<img');
  assert.not.match(driftHtml(reports, '0.1.0'), '<img');
  assert.not.match(driftHtml(reports, '0.1.0'), /(src|href)=.?(http|\/\/)|@import|url\(/);
  assert.not.match(driftText(reports, PLAIN), '\u001b');
  assert.not.match(driftJunit(reports), '\u001b');
});

test('writers: the last of each path, garbage left out', () => {
  const writer = { time: '2026-11-26T11:00:00Z', path: '/x', pid: 1, comm: 'a', exe: null, cgroup: null, gone: false };
  const text = [
    writerLine(writer),
    '{"path":"/x"}\n',
    'torn',
    `\n${writerLine({ ...writer, pid: 2, comm: null, gone: true })}`,
  ].join('');
  assert.equal(lastWriters(text).get('/x')?.pid, 2);
  assert.is(lastWriters(text).size, 1);
});

test.run();
