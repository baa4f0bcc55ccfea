/** Expressions in the Common Expression Language; loaded only by stacks that have some. */
import { Environment } from '@marcbachmann/cel-js';
import { TsboxErrors } from '../errors.ts';
import { conditionError, type Answer, type Expression } from './conditions.ts';

const environment = new Environment({
  unlistedVariablesAreDyn: true,
  homogeneousAggregateLiterals: false,
  limits: { maxAstNodes: 2000, maxDepth: 50 },
});

/** The program of each condition, once it is compiled: it is asked for when the stack is read and when it is judged. */
const programs = new WeakMap<Expression, Answer>();

/** Each condition with the function that answers it. @throws TsboxErrors for those that cannot be read */
export function compiled(conditions: readonly Expression[]): Map<Expression, Answer> {
  const answers = new Map<Expression, Answer>();
  const errors = [];
  for (const condition of conditions) {
    try {
      const answer = programs.get(condition) ?? (environment.parse(condition.assert) as unknown as Answer);
      programs.set(condition, answer);
      answers.set(condition, answer);
    } catch (error) {
      errors.push(conditionError(condition, error));
    }
  }
  if (errors.length > 0) {
    throw new TsboxErrors(errors);
  }
  return answers;
}
