/** Help stands alone: every command says its options, its exit codes and an example, from one set of tables. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseArguments } from '../../src/cli/args.ts';
import { COMMANDS } from '../../src/cli/command-table.ts';
import { commandHelp, optionLines } from '../../src/cli/help.ts';
import { OPTION_TEXT } from '../../src/cli/option-text.ts';
import { HELP } from '../../src/cli/help-table.ts';
import { repository } from '../support/sandbox.ts';

test('every command has an example that its own options parse', async () => {
  assert.equal(Object.keys(HELP).sort(), Object.keys(COMMANDS).sort());
  for (const [name, row] of Object.entries(COMMANDS)) {
    const { command } = await row.load();
    for (const [line] of HELP[name]?.examples ?? []) {
      const [program, verb, ...rest] = line.replace(/ [<>|].*$/, '').split(' ');
      assert.equal([program, verb], ['tsbox', name], line);
      parseArguments(rest, command.options);
    }
  }
});

test('what the help table says of options is of options that the command has', async () => {
  for (const [name, row] of Object.entries(COMMANDS)) {
    const { command } = await row.load();
    const own = new Set<string>(optionLines(name, command).map((o) => o.name));
    assert.equal(
      [...own].filter((o) => OPTION_TEXT[o] === undefined),
      [],
      'options without a line in option-text.ts',
    );
    assert.equal(
      Object.keys(HELP[name]?.options ?? {}).filter((o) => !own.has(o)),
      [],
      name,
    );
  }
});

test('help lists each option once, on lines of at most 120 columns', async () => {
  for (const [name, row] of Object.entries(COMMANDS)) {
    const { command } = await row.load();
    const text = commandHelp(name, command);
    const listed = text.split('\nOptions:\n')[1]?.split('\nExit codes:\n')[0] ?? '';
    for (const { name: option } of optionLines(name, command)) {
      assert.is(listed.split('\n').filter((l) => new RegExp(`^  (-\\w, )?--${option}( |$)`).test(l)).length, 1, option);
    }
    const long = listed.split('\n').filter((l) => [...l].length > 120);
    assert.equal(long, [], name);
    assert.match(text, /\nExit codes:\n {2}0 +success\n/);
  }
});

test('docs/commands.md names every command', () => {
  const doc = readFileSync(join(repository(), 'docs', 'commands.md'), 'utf8');
  for (const name of Object.keys(COMMANDS)) {
    assert.match(doc, new RegExp(`\`${name}\\b|\`, \`${name}`), `${name} is not in docs/commands.md`);
  }
});

/** Said once in the document, in the lines on what is common. */
const COMMON: ReadonlySet<string> = new Set(['file', 'stack', 'var', 'var-file', 'json', 'help', 'no-color', 'quiet']);

test('docs/commands.md names every option of every command where it speaks of the command', async () => {
  const doc = readFileSync(join(repository(), 'docs', 'commands.md'), 'utf8');
  // Rows of the tables, and paragraphs.
  const parts = doc.split(/\n\n|\n(?=\|)/);
  const missing = [...COMMON].filter((name) => !doc.includes(`--${name}`) && name !== 'file');
  for (const [name, row] of Object.entries(COMMANDS)) {
    const about = parts.filter((part) => new RegExp(`\`(tsbox )?${name}\\b`).test(part)).join('\n');
    for (const option of optionLines(name, (await row.load()).command)) {
      const named =
        new RegExp(`--${option.name}(?![a-z-])`).test(about) ||
        (option.short !== undefined && new RegExp(`[\\[\`(]-${option.short}\\b`).test(about));
      if (!named && !COMMON.has(option.name)) {
        missing.push(`${name} --${option.name}`);
      }
    }
  }
  assert.equal(missing, []);
});

test.run();
