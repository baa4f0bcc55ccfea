/** Tests as JUnit XML: a suite per file, a case per run. */
import type { TsboxError } from '../../errors.ts';
import { escapeMarkup } from '../drift/words.ts';
import { escapeControls } from '../values.ts';
import type { Mask } from '../terraform/values.ts';
import { countsOf, type FileResult, type RunResult } from './model.ts';

/** @param mask takes secrets out of a text, before it is written as markup */
export function testJunit(files: readonly FileResult[], mask: Mask): string {
  const suites = files.map((file) => suite(file, mask)).join('');
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="tsbox test" ${counts(files)}>\n${suites}</testsuites>\n`;
}

function counts(files: readonly FileResult[]): string {
  const { passed, failed, errored, skipped } = countsOf(files);
  return `tests="${passed + failed + errored + skipped}" failures="${failed}" errors="${errored}" skipped="${skipped}"`;
}

function suite(file: FileResult, mask: Mask): string {
  const left = file.left.map((e) => `    <system-err>${markup(mask(told(e)))}</system-err>\n`).join('');
  const cases = file.runs.map((run) => testCase(file.name, run, mask)).join('');
  return `  <testsuite name="${markup(file.name)}" ${counts([file])}>\n${cases}${left}  </testsuite>\n`;
}

function testCase(file: string, { name, status, ms, problems }: RunResult, mask: Mask): string {
  const head = `<testcase classname="${markup(file)}" name="${markup(name)}" time="${(ms / 1000).toFixed(3)}"`;
  if (status === 'pass') {
    return `    ${head}/>\n`;
  }
  const message = markup(mask(problems.map((p) => p.message).join('; ')));
  const element = { fail: 'failure', error: 'error', skip: 'skipped' }[status];
  const body =
    status === 'skip'
      ? '/>'
      : ` message="${message}">${problems.map((p) => markup(mask(told(p)))).join('\n')}</${element}>`;
  return `    ${head}>\n      <${element}${body}\n    </testcase>\n`;
}

/** A line with its place. */
function told({ code, message, info: { at } }: TsboxError): string {
  return `${at === undefined ? '' : `${at.file}:${at.line}:${at.column}: `}${code}: ${message}`;
}

function markup(text: string): string {
  return escapeMarkup(escapeControls(text));
}
