/** `preconditions:`, `checks:` and `policies:`: what is to be true of a plan and of what is live. */
import * as z from 'zod';
import { TsboxError } from '../errors.ts';
import type { SourceSpan } from '../errors.ts';
import { located } from './source.ts';
import type { Place } from './source.ts';
import { child } from './tree.ts';
import type { MapTree, Tree } from './tree.ts';

export type Severity = 'error' | 'warning' | 'info';

/** An expression (CEL) and what is said when it is not true. */
export interface Expression {
  readonly kind: 'precondition' | 'check' | 'policy' | 'assertion';
  /** The check's or policy's name; the address for a precondition, the run for an assertion of a test. */
  readonly name: string;
  readonly assert: string;
  readonly message: string | undefined;
  readonly place: Place | undefined;
  readonly at?: SourceSpan | undefined;
  readonly sourceLine?: string | undefined;
  /** What answers it; throws TsboxErrors where it cannot be read. Loads the language when it is first called. */
  compile(): Promise<Answer>;
  /** What is wrong with it, at the place in the expression. */
  explain(error: unknown): TsboxError;
}

/** An expression of a stack. */
export interface Condition extends Expression {
  readonly kind: 'precondition' | 'check' | 'policy';
  /** Policies: which addresses, with `*`. */
  readonly on: string;
  readonly severity: Severity;
}

export type Answer = (context: Readonly<Record<string, unknown>>) => unknown;

const text = z.string().min(1);

export const checkSchema = z.strictObject({
  assert: text,
  message: text.optional(),
  severity: z.enum(['warning', 'info']).optional(),
});
export const policySchema = z.strictObject({
  for: text.optional(),
  assert: text,
  message: text.optional(),
  severity: z.enum(['error', 'warning', 'info']).optional(),
});

/** The part of an expression between two offsets, where it stands in the file; all of it where escapes changed it. */
export function partOf({ place, assert }: Expression, start: number, end: number): Place | undefined {
  if (place === undefined) {
    return undefined;
  }
  const at = place.file.text.slice(place.start, place.end).indexOf(assert);
  const from = place.start + at + Math.min(start, Math.max(0, assert.length - 1));
  return at < 0 ? place : { file: place.file, start: from, end: Math.max(from + 1, place.start + at + end) };
}

/** A condition that cannot be read or answered. */
export function conditionError(condition: Expression, error: unknown): TsboxError {
  const { message = '', range } = error as { message?: string; range?: { start: number; end: number } };
  const said = (message.split('\n')[0] ?? '').replace(/^./, (c) => c.toLowerCase());
  const place = range === undefined ? condition.place : partOf(condition, range.start, range.end);
  return new TsboxError('TSB1003', `${condition.kind} ${condition.name}: ${said}`, {
    ...located(place),
    expected: 'an expression in CEL that is true or false, such as live["pids.max"] != "max"',
  });
}

/** The expression at a place of a file, not yet compiled. */
export function expressionAt<T extends Pick<Expression, 'kind' | 'name' | 'assert' | 'message'>>(
  rest: T,
  place: Place | undefined,
): T & Expression {
  const expression: T & Expression = {
    ...rest,
    ...located(place),
    place,
    compile: async () => (await import('./cel.ts')).compiled([expression]).get(expression) as Answer,
    explain: (error) => conditionError(expression, error),
  };
  return expression;
}

/** All conditions of a stack, in the file's order. */
export function conditionsOf(root: MapTree, paths: ReadonlyMap<string, readonly (string | number)[]>): Condition[] {
  const text = (tree: Tree | undefined): string | undefined =>
    tree?.kind === 'scalar' && typeof tree.value === 'string' ? tree.value : undefined;
  const read = (tree: Tree, rest: Pick<Condition, 'kind' | 'name' | 'on'>, usual: Severity): Condition[] => {
    const assert = text(child(tree, 'assert'));
    const severity = (text(child(tree, 'severity')) ?? usual) as Severity;
    const message = text(child(tree, 'message'));
    const place = child(tree, 'assert')?.place;
    if (assert === undefined) {
      return [];
    }
    return [expressionAt({ ...rest, assert, message, severity }, place)];
  };
  const named = (kind: 'check' | 'policy', section: string, usual: Severity): Condition[] => {
    const tree = child(root, section);
    return tree?.kind === 'map'
      ? [...tree.entries].flatMap(([name, entry]) =>
          read(entry.tree, { kind, name, on: text(child(entry.tree, 'for')) ?? '*/*' }, usual),
        )
      : [];
  };
  const own = [...paths].flatMap(([address, path]) => {
    const tree = child(path.reduce<Tree | undefined>(child, root), 'preconditions');
    const items = tree?.kind === 'list' && !address.startsWith('output/') ? tree.items : [];
    return items.flatMap((item) => read(item, { kind: 'precondition', name: address, on: address }, 'error'));
  });
  return [...own, ...named('check', 'checks', 'warning'), ...named('policy', 'policies', 'error')];
}
