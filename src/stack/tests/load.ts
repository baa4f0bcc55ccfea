/** Reads a test file: what is run against which stack, and what is to be true of it. */
import { dirname, join, isAbsolute, resolve } from 'node:path';
import { TsboxError, TsboxErrors, type SourceSpan } from '../../errors.ts';
import { expressionAt, type Expression } from '../conditions.ts';
import { translateIssues } from '../issues.ts';
import { parseFile } from '../parse.ts';
import { placeOf } from '../positions.ts';
import { decode, located, readBytes, sourceFile } from '../source.ts';
import { toData, type MapTree } from '../tree.ts';
import { testSchema } from './schema.ts';

/** What a test file's name ends in. */
export const TEST_SUFFIX = '.test.yaml';

export interface TestRun {
  readonly name: string;
  readonly command: 'plan' | 'apply';
  /** Stack files, as the command line would have them. */
  readonly stack: readonly string[];
  /** A recorded kernel to plan against. */
  readonly kernel: string | undefined;
  readonly variables: Readonly<Record<string, string>>;
  readonly assertions: readonly Expression[];
  readonly expected: readonly ExpectedFailure[];
  readonly at: SourceSpan | undefined;
  readonly sourceLine: string | undefined;
}

/** The name of a check or policy, an address, or the code of an error; and where it is expected. */
export interface ExpectedFailure {
  readonly what: string;
  readonly at?: SourceSpan | undefined;
  readonly sourceLine?: string | undefined;
}

export interface TestFile {
  readonly name: string;
  readonly runs: readonly TestRun[];
}

/** @throws TsboxErrors with every error of the file */
export function loadTestFile(name: string): TestFile {
  const path = resolve(name);
  const problems: TsboxError[] = [];
  const tree = parseFile(sourceFile(name, path, dirname(path), decode(readBytes(path, name), name)), problems);
  const parsed = tree === undefined ? undefined : testSchema.safeParse(toData(tree));
  if (tree !== undefined && parsed?.error !== undefined) {
    const faults = translateIssues(parsed.error.issues, testSchema, tree, []);
    problems.push(...faults.flatMap(({ error }) => error ?? []));
  }
  if (tree === undefined || parsed?.data === undefined || problems.length > 0) {
    throw new TsboxErrors(inOrder(problems));
  }
  const { data } = parsed;
  const beside = (file: string): string => (isAbsolute(file) ? file : join(dirname(name), file));
  const files = (stack: string | readonly string[]): string[] =>
    (typeof stack === 'string' ? [stack] : stack).map(beside);
  const seen = new Set<string>();
  const runs = data.runs.map((run, i): TestRun => {
    const placed = (...path: readonly (string | number)[]): ReturnType<typeof located> =>
      located(placeOf(tree, ['runs', i, ...path]));
    const command = run.command ?? 'plan';
    const kernel = run.kernel ?? (command === 'plan' ? data.kernel : undefined);
    if (command === 'apply' && run.kernel !== undefined) {
      problems.push(
        new TsboxError('TSB1003', 'there is nothing to apply to in a recorded kernel', {
          ...placed('kernel'),
          expected: 'command: plan, or no kernel',
        }),
      );
    }
    if (seen.has(run.name)) {
      problems.push(new TsboxError('TSB1003', `a second run is called '${run.name}'`, placed('name')));
    }
    seen.add(run.name);
    return {
      name: run.name,
      command,
      stack: files(run.stack ?? data.stack),
      kernel: kernel === undefined ? undefined : beside(kernel),
      variables: { ...data.variables, ...run.variables },
      assertions: assertionsOf(tree, i, run),
      expected: (run.expect_failures ?? []).map((what, k) => ({ what, ...placed('expect_failures', k) })),
      at: placed('name').at,
      sourceLine: placed('name').sourceLine,
    };
  });
  if (problems.length > 0) {
    throw new TsboxErrors(inOrder(problems));
  }
  return { name, runs };
}

function inOrder(problems: readonly TsboxError[]): TsboxError[] {
  return [...problems].sort((a, b) => (a.info.at?.line ?? 0) - (b.info.at?.line ?? 0));
}

function assertionsOf(
  tree: MapTree,
  run: number,
  {
    name,
    assert = [],
  }: {
    readonly name: string;
    readonly assert?: ReadonlyArray<{ condition: string; message?: string | undefined }> | undefined;
  },
): Expression[] {
  return assert.map(({ condition, message }, k) =>
    expressionAt(
      { kind: 'assertion', name: `of run ${JSON.stringify(name)}`, assert: condition, message },
      placeOf(tree, ['runs', run, 'assert', k, 'condition']),
    ),
  );
}
