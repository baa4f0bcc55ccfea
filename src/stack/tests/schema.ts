/** The language of test files: `*.test.yaml`. */
import * as z from 'zod';
import { show, valueSchema, ValueError } from '../../resources/values.ts';
import { topShape } from '../schema.ts';

const text = z.string().min(1);

/** A value of a variable, as text. */
const value = valueSchema(
  (input) => {
    if (typeof input !== 'string' && typeof input !== 'number' && typeof input !== 'boolean') {
      throw new ValueError(`${show(input)} is no value of a variable`, 'text, a number, true or false');
    }
    return String(input);
  },
  { type: ['string', 'number', 'boolean'], description: 'as it would stand in --var NAME=VALUE' },
);

const variables = z.record(z.string(), value);
const stack = z.union([text, z.array(text).min(1)]);

/** What is expected to fail. */
const failure = valueSchema(
  (input) => {
    if (typeof input !== 'string' || !/^(TSB\d{4}|[a-z]+\/\S+|[A-Za-z0-9][\w.-]*)$/.test(input)) {
      throw new ValueError(
        `${show(input)} names nothing that can fail`,
        'the name of a check or policy, an address such as container/web, or the code of an error such as TSB1009',
      );
    }
    return input;
  },
  { type: 'string', examples: ['running', 'container/web', 'TSB1009'] },
);

const assertion = z.strictObject({ condition: text, message: text.optional() });

export const runSchema = z.strictObject({
  name: text.max(200),
  command: z.enum(['plan', 'apply']).optional(),
  stack: stack.optional(),
  kernel: text.optional(),
  variables: variables.optional(),
  assert: z.array(assertion).optional(),
  expect_failures: z.array(failure).optional(),
});

export const testSchema = z.strictObject({
  tsbox: topShape.tsbox,
  stack: stack,
  variables: variables.optional(),
  kernel: text.optional(),
  runs: z.array(runSchema).min(1),
});
