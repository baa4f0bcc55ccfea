/** Files of tests, what is made of failures, and how results are told. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { missed, planFailures, unexpected } from '../../src/cli/test/failures.ts';
import { findTestFiles, loadTestFiles } from '../../src/cli/test/find.ts';
import type { TsboxErrors } from '../../src/errors.ts';
import { TsboxError } from '../../src/errors.ts';
import { conclusionJson } from '../../src/report/test/json.ts';
import { testJunit } from '../../src/report/test/junit.ts';
import { conclusion, countsOf, fileResult, type RunResult, type Status } from '../../src/report/test/model.ts';
import { renderErrors } from '../../src/stack/diagnostics.ts';
import { everyChange } from '../support/planned.ts';

function inDirectory(files: Readonly<Record<string, string>>, use: (directory: string) => void): void {
  const directory = mkdtempSync(join(tmpdir(), 'tsbox-tests-'));
  const here = process.cwd();
  try {
    Object.entries(files).forEach(([name, text]) => writeFileSync(join(directory, name), text));
    process.chdir(directory);
    use(directory);
  } finally {
    process.chdir(here);
    rmSync(directory, { recursive: true });
  }
}

function errorsOf(text: string): string {
  let told = '';
  inDirectory({ 'a.test.yaml': text }, () => {
    try {
      loadTestFiles(['a.test.yaml']);
    } catch (error) {
      told = renderErrors((error as TsboxErrors).errors);
    }
  });
  return told;
}

test('what a file says: defaults, paths beside it, variables of the file under those of the run', () => {
  const text = `tsbox: 1
stack: [web.yaml, more.yaml]
variables: { n: 1, tier: free }
kernel: web.kernel
runs:
  - { name: one, variables: { n: 2, on: true }, assert: [{ condition: plan.add == 1, message: no }] }
  - { name: two, command: apply, stack: /srv/x.yaml, expect_failures: [low, container/web, TSB1009] }
`;
  inDirectory({ 'a.test.yaml': text }, (directory) => {
    const [file] = loadTestFiles([join(directory, 'a.test.yaml')]);
    const [one, two] = file?.runs ?? [];
    assert.equal([one?.command, two?.command], ['plan', 'apply']);
    assert.equal(one?.stack, [join(directory, 'web.yaml'), join(directory, 'more.yaml')]);
    assert.equal(two?.stack, ['/srv/x.yaml']);
    assert.equal([one?.kernel, two?.kernel], [join(directory, 'web.kernel'), undefined]);
    assert.equal(one?.variables, { n: '2', tier: 'free', on: 'true' });
    assert.equal(
      one?.assertions.map((a) => [a.assert, a.message, a.at?.line]),
      [['plan.add == 1', 'no', 6]],
    );
    assert.equal(
      two?.expected.map((e) => [e.what, e.at?.line]),
      [
        ['low', 7],
        ['container/web', 7],
        ['TSB1009', 7],
      ],
    );
  });
});

test('every error of a file, at its place, with what would be right', () => {
  const told = errorsOf(`tsbox: 1
kernal: x.kernel
runs:
  - name: a
    command: aply
    expect_failures: [" x"]
    variables: { a: [1] }
`);
  assert.is(
    told,
    `error[TSB1003]: 'stack' is missing
  --> a.test.yaml:1:1
   |
 1 | tsbox: 1
   | ^^^^^^^^
   = expected: text or a list

error[TSB1003]: unknown key 'kernal'
  --> a.test.yaml:2:1
   |
 2 | kernal: x.kernel
   | ^^^^^^
   = expected: one of kernel, runs, stack, tsbox, variables
   = hint: did you mean "kernel"?

error[TSB1003]: 'command' cannot be 'aply'
  --> a.test.yaml:5:14
   |
 5 |     command: aply
   |              ^^^^
   = expected: plan, apply
   = hint: did you mean "apply"?

error[TSB1003]: ' x' names nothing that can fail
  --> a.test.yaml:6:23
   |
 6 |     expect_failures: [" x"]
   |                       ^^^^
   = expected: the name of a check or policy, an address such as container/web, or the code of an error such as TSB1009

error[TSB1003]: a list is no value of a variable
  --> a.test.yaml:7:18
   |
 7 |     variables: { a: [1] }
   |                  ^
   = expected: text, a number, true or false`,
  );
});

test('what fits the schema and cannot be', () => {
  const told = errorsOf(`tsbox: 1
stack: s.yaml
runs:
  - { name: a, command: apply, kernel: x.kernel }
  - { name: a }
`);
  assert.match(told, 'there is nothing to apply to in a recorded kernel\n  --> a.test.yaml:4:40');
  assert.match(told, "a second run is called 'a'\n  --> a.test.yaml:5:13");
  const expression = errorsOf(`tsbox: 1\nstack: s\nruns:\n  - { name: a, assert: [{ condition: plan.add == }] }\n`);
  assert.match(expression, 'error[TSB1003]: assertion of run "a": ');
  assert.match(expression, /a\.test\.yaml:4:\d+/);
  assert.match(errorsOf(''), 'is empty');
});

test('which files: those given, those of a directory, an error where there are none', () => {
  inDirectory({ 'b.test.yaml': '', 'a.test.yaml': '', 'a.yaml': '' }, (directory) => {
    assert.equal(findTestFiles([]), ['a.test.yaml', 'b.test.yaml']);
    assert.equal(findTestFiles([directory, join(directory, 'a.test.yaml'), 'other.yaml']), [
      join(directory, 'a.test.yaml'),
      join(directory, 'b.test.yaml'),
      'other.yaml',
    ]);
    rmSync(join(directory, 'a.test.yaml'));
    rmSync(join(directory, 'b.test.yaml'));
    assert.throws(() => findTestFiles([]), /there is no test file in this directory/);
  });
});

test('failures of a plan are expected by name, by address, or not at all', () => {
  const { plan } = everyChange();
  const condition = (kind: 'check' | 'policy', name: string, severity: 'warning' | 'info' | 'error') =>
    ({
      kind,
      name,
      severity,
      status: 'fail',
      message: 'no',
      ...(kind === 'policy' ? { address: 'cgroup/x' } : {}),
    }) as const;
  const failures = planFailures({
    ...plan,
    changes: [],
    checks: [
      condition('check', 'low', 'warning'),
      condition('check', 'told', 'info'),
      condition('policy', 'p', 'error'),
    ],
  });
  const left = (...what: string[]): string[] =>
    unexpected(
      failures,
      what.map((w) => ({ what: w })),
    ).map((e) => e.message);
  assert.equal(left(), ['check low: no', 'policy p (cgroup/x): no']);
  assert.equal(left('low', 'policy/p'), []);
  assert.equal(left('check/low', 'cgroup/x'), []);
  const absent = missed(failures, [{ what: 'told' }, { what: 'other' }]);
  assert.equal(
    absent.map((e) => e.message),
    ["'other' was expected to fail and did not"],
  );
});

const run = (name: string, status: Status, problems: TsboxError[] = []): RunResult => ({
  name,
  status,
  ms: 1234.5,
  problems,
});
const FILES = [
  fileResult('a.test.yaml', [
    run('fine', 'pass'),
    run('<b>', 'fail', [
      new TsboxError('TSB4001', 'assertion failed: a & b', {
        at: { file: 'a.test.yaml', line: 3, column: 5, length: 1 },
      }),
    ]),
    run('odd', 'error', [new TsboxError('TSB1009', 'no memory controller')]),
    run('later', 'skip'),
  ]),
  fileResult('b.test.yaml', [run('fine', 'pass')], [new TsboxError('TSB3008', '/x could not be removed')]),
];

test('the sentence, the counts, and the worst of all', () => {
  assert.is(conclusion(countsOf(FILES)), 'Failure! 2 passed, 2 failed, 1 skipped.');
  assert.is(conclusion(countsOf([fileResult('a', [run('x', 'pass')])])), 'Success! 1 passed, 0 failed.');
  assert.is(conclusion(countsOf([fileResult('a', [run('x', 'skip')])])), 'Executed 0 tests, 1 skipped.');
  assert.is(FILES[1]?.status, 'error', 'what is left is an error');
  const summary = JSON.parse(conclusionJson(FILES)) as { test_summary: unknown };
  assert.equal(summary.test_summary, { status: 'error', passed: 2, failed: 1, errored: 1, skipped: 1 });
});

test('JUnit', () => {
  assert.is(
    testJunit(FILES, (text) => text.replaceAll('memory', '***')),
    `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="tsbox test" tests="5" failures="1" errors="1" skipped="1">
  <testsuite name="a.test.yaml" tests="4" failures="1" errors="1" skipped="1">
    <testcase classname="a.test.yaml" name="fine" time="1.234"/>
    <testcase classname="a.test.yaml" name="&lt;b&gt;" time="1.234">
      <failure message="assertion failed: a &amp; b">a.test.yaml:3:5: TSB4001: assertion failed: a &amp; b</failure>
    </testcase>
    <testcase classname="a.test.yaml" name="odd" time="1.234">
      <error message="no *** controller">TSB1009: no *** controller</error>
    </testcase>
    <testcase classname="a.test.yaml" name="later" time="1.234">
      <skipped/>
    </testcase>
  </testsuite>
  <testsuite name="b.test.yaml" tests="1" failures="0" errors="0" skipped="0">
    <testcase classname="b.test.yaml" name="fine" time="1.234"/>
    <system-err>TSB3008: /x could not be removed</system-err>
  </testsuite>
</testsuites>
`,
  );
});

test.run();
