/** The document of `validate --json`, as readers of Terraform's know it. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TsboxErrors } from '../../src/errors.ts';
import { validateJson } from '../../src/report/validate-json.ts';
import { loadStack } from '../../src/stack/index.ts';

const load = (text: string) => loadStack(['x.yaml'], { env: {}, texts: new Map([['x.yaml', text]]) });

test('errors with their ranges and excerpts', () => {
  let errors: TsboxErrors | undefined;
  try {
    load('tsbox: 1\nname: a\ncontainers:\n  b: { commnd: [x] }\n');
  } catch (error) {
    errors = error as TsboxErrors;
  }
  assert.instance(errors, TsboxErrors);
  const result = JSON.parse(validateJson(errors?.errors ?? [], [], undefined)) as {
    diagnostics: Record<string, unknown>[];
  } & Record<string, unknown>;
  assert.is(result['format_version'], '1.0');
  assert.is(result['valid'], false);
  assert.is(result['error_count'], result.diagnostics.length);
  assert.is(result['warning_count'], 0);
  const unknown = result.diagnostics.find((d) => String(d['summary']).includes('commnd'));
  assert.is(unknown?.['severity'], 'error');
  assert.match(String(unknown?.['detail']), 'command');
  const range = unknown?.['range'] as { filename: string; start: { line: number; column: number } };
  assert.equal([range.filename, range.start.line, range.start.column], ['x.yaml', 4, 8]);
  const snippet = unknown?.['snippet'] as { code: string; start_line: number; highlight_start_offset: number };
  assert.equal([snippet.code, snippet.start_line, snippet.highlight_start_offset], ['  b: { commnd: [x] }', 4, 7]);
});

test('a valid stack, with a warning', () => {
  const stack = load(
    'tsbox: 1\nname: a\ncgroups: { t: { children: { u: { memory: { low: 1MiB } } } } }\ncontainers: { b: { command: [x] } }\n',
  );
  assert.is(stack.warnings.length, 1);
  const counts = { name: 'a', cgroups: 2, namespaces: 0, containers: 1 };
  const result = JSON.parse(validateJson([], stack.warnings, counts)) as Record<string, unknown>;
  assert.is(result['valid'], true);
  assert.is(result['warning_count'], 1);
  assert.equal(result['tsbox'], counts);
  const [warning] = result['diagnostics'] as Record<string, unknown>[];
  assert.is(warning?.['severity'], 'warning');
  assert.ok(warning?.['range']);
});

test.run();
