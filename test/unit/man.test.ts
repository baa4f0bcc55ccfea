/** The manual page is what the tables of help say, and roff takes it as it is. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { manualPage } from '../../scripts/man/page.ts';
import { paragraphs, text } from '../../scripts/man/roff.ts';
import { COMMANDS } from '../../src/cli/command-table.ts';
import { optionLines } from '../../src/cli/help.ts';
import { repository } from '../support/sandbox.ts';

test('it is what npm run man writes', async () => {
  const page = await manualPage();
  assert.is(
    readFileSync(join(repository(), 'docs/man/tsbox.1'), 'utf8'),
    page,
    'docs/man/tsbox.1 is out of date: npm run man',
  );
});

test('it has a part for each command with all of its options', async () => {
  const parts = new Map((await manualPage()).split('\n.SS ').map((part) => [part.split('\n')[0] ?? '', part]));
  for (const [name, row] of Object.entries(COMMANDS)) {
    const part = parts.get(text(`tsbox ${name}`)) ?? '';
    for (const option of optionLines(name, (await row.load()).command)) {
      const common = ['help', 'no-color', 'quiet'].includes(option.name);
      const where = common ? (parts.get('Options of every command') ?? '') : part;
      assert.ok(where.includes(`\\fB${text(`--${option.name}`)}\\fR`), `${name} --${option.name}`);
    }
  }
});

test('text stays text', async () => {
  assert.is(text(".so 'x' \\n -f…"), '\\&.so \\(aqx\\(aq \\en \\-f\\[u2026]');
  assert.equal(paragraphs('a\nb\n\n  x  y'), ['.P', 'a', 'b', '.P', '.nf', '  x  y', '.fi']);
  const page = await manualPage();
  assert.match(page, /^[\x20-\x7e\n]*$/);
  const requests = new Set([...page.matchAll(/^[.'](\S*)/gm)].map(([, request]) => request));
  assert.equal(
    [...requests].sort(),
    ['P', 'RE', 'RS', 'SH', 'SS', 'TH', 'TP', '\\"', 'ad', 'br', 'fi', 'nf', 'nh'].sort(),
  );
});

test.run();
