/** Lines of logs: parts put together, points in time, rotation while a log is read. */
import { appendFileSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LogReader } from '../../src/cli/log-file.ts';
import { byTime, lastOf, LogParser, parseTime, passes } from '../../src/cli/log-line.ts';
import { linePrinter } from '../../src/cli/log-print.ts';
import { PLAIN } from '../../src/report/palette.ts';

const line = (n: number, text: string, tag = 'F', stream = 'stdout'): string =>
  `2026-01-01T00:00:${String(n).padStart(2, '0')}.000000000Z ${stream} ${tag} ${text}`;

test('a long line comes in parts, beside what the other stream says', () => {
  const parser = new LogParser();
  assert.is(parser.take(line(1, 'abc', 'P')), undefined);
  assert.is(parser.take(line(2, 'other', 'F', 'stderr'))?.text, 'other');
  assert.equal(parser.take(line(3, 'def')), {
    time: '2026-01-01T00:00:01.000000000Z',
    stream: 'stdout',
    text: 'abcdef',
  });
  assert.is(parser.take('2026-01-01T00:00:00Z stdout F')?.text, '', 'an empty line');
  assert.is(parser.take('no line of a log'), undefined);
});

test('points in time', () => {
  const now = Date.parse('2026-02-01T00:00:00Z');
  assert.is(parseTime('since', '10m', now), now - 600_000);
  assert.is(parseTime('since', '2026-01-31T23:00:00Z', now), now - 3_600_000);
  assert.is(parseTime('since', '1769900400', now), now - 3_600_000);
  assert.throws(() => parseTime('since', 'yesterday', now), /--since 'yesterday' is no point in time/);
  const entry = new LogParser().take(line(30, 'x', 'F', 'stderr'));
  assert.ok(entry);
  const at = Date.parse(entry.time);
  assert.ok(passes({ since: at, until: at, stream: undefined }, entry));
  assert.not.ok(passes({ since: at + 1, until: Infinity, stream: undefined }, entry));
  assert.not.ok(passes({ since: -Infinity, until: at - 1, stream: undefined }, entry));
  assert.not.ok(passes({ since: -Infinity, until: Infinity, stream: 'stdout' }, entry));
});

test('merging keeps the order within a container', () => {
  const parser = new LogParser();
  const item = (n: number, text: string): { entry: NonNullable<ReturnType<LogParser['take']>> } => {
    const entry = parser.take(line(n, text));
    assert.ok(entry);
    return { entry };
  };
  const merged = byTime([item(1, 'a1'), item(3, 'a2'), item(3, 'a3'), item(2, 'b1'), item(3, 'b2')]);
  assert.equal(
    merged.map((m) => m.entry.text),
    ['a1', 'b1', 'a2', 'a3', 'b2'],
  );
  assert.equal([lastOf([1, 2, 3], -1), lastOf([1, 2, 3], 0), lastOf([1, 2, 3], 2)], [[1, 2, 3], [], [2, 3]]);
});

test('a reader goes on through rotation, halves of lines and truncation', () => {
  const directory = mkdtempSync(join(tmpdir(), 'tsbox-test-'));
  const path = join(directory, 'web.log');
  const texts = (reader: LogReader): string[] => reader.read().map((e) => e.text);
  try {
    assert.equal(texts(new LogReader(path)), [], 'never wrote');
    writeFileSync(`${path}.2`, `${line(1, 'oldest')}\n`);
    writeFileSync(`${path}.1`, `${line(2, 'old')}\n`);
    writeFileSync(path, `${line(3, 'new')}\n${line(4, 'hal')}`);
    const reader = new LogReader(path);
    assert.equal(texts(reader), ['oldest', 'old', 'new']);
    appendFileSync(path, 'f ünd\n');
    assert.equal(texts(reader), ['half ünd']);
    assert.equal(texts(reader), []);
    // Rotated twice between two readings, with something left in the first.
    appendFileSync(path, `${line(5, 'left')}\n`);
    renameSync(`${path}.1`, `${path}.3`);
    renameSync(path, `${path}.1`);
    writeFileSync(path, `${line(6, 'between')}\n`);
    renameSync(`${path}.1`, `${path}.2`);
    renameSync(path, `${path}.1`);
    writeFileSync(path, `${line(7, 'last')}\n`);
    assert.equal(texts(reader), ['left', 'between', 'last']);
    truncateSync(path, 0);
    assert.equal(texts(reader), []);
    appendFileSync(path, `${line(8, 'again')}\n`);
    assert.equal(texts(reader), ['again']);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('names stand in line before what they wrote', () => {
  const entry = { time: 'T', stream: 'stderr', text: 'hello' } as const;
  const options = { names: ['db', 'web[10]'], prefix: true, timestamps: true, json: false, palette: PLAIN };
  assert.is(linePrinter(options)({ stack: 's', name: 'db', entry }), 'db      | T hello\n');
  const tinted = { ...PLAIN, tints: [(t: string) => `<1>${t}`, (t: string) => `<2>${t}`] };
  const print = linePrinter({ ...options, palette: tinted, timestamps: false });
  assert.is(print({ stack: 's', name: 'web[10]', entry }), '<2>web[10] | hello\n');
  assert.is(print({ stack: 's', name: 'new', entry }), '<1>new     | hello\n');
  const json = linePrinter({ ...options, json: true })({ stack: 's', name: 'db', entry });
  assert.equal(JSON.parse(json), { time: 'T', stack: 's', container: 'db', stream: 'stderr', text: 'hello' });
});

test.run();
