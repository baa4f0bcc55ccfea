/** Every schema of docs/schema, by the name of its file. */
import * as z from 'zod';
import { driftJsonSchema } from '../../src/report/drift/json.ts';
import { eventSchema, planDocumentSchema, savedPlanSchema, stateDocumentSchema } from './reports.ts';
import { testSchema } from '../../src/stack/tests/schema.ts';
import { stackSchema } from './stack.ts';

const TITLES: ReadonlyArray<readonly [string, string, z.ZodType]> = [
  ['plan', 'tsbox plan --format json, tsbox show --json PLANFILE', planDocumentSchema],
  ['state', 'tsbox show --json', stateDocumentSchema],
  ['event', 'a line of tsbox plan, apply and destroy --json', eventSchema],
  ['saved-plan', 'the file of tsbox plan -o', savedPlanSchema],
  ['drift', 'tsbox drift --format json', driftJsonSchema],
];

export function allSchemas(): Map<string, string> {
  const schemas = new Map<string, unknown>([['stack', stackSchema()]]);
  schemas.set('test', described('test', 'tests of a stack, run by tsbox test', testSchema, 'input'));
  for (const [name, title, schema] of TITLES) {
    schemas.set(name, described(name, title, schema, 'output'));
  }
  return new Map([...schemas].map(([name, s]) => [`${name}.schema.json`, `${JSON.stringify(s, null, 1)}\n`]));
}

function described(name: string, title: string, of: z.ZodType, io: 'input' | 'output'): unknown {
  const reused = io === 'input' ? 'inline' : 'ref';
  const { $schema, ...body } = z.toJSONSchema(of, { io, target: 'draft-7', unrepresentable: 'any', reused });
  return { $schema, $id: `${name}.schema.json`, title, ...body };
}
