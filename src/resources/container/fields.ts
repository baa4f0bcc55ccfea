/** The forms of single container fields that are more than a number or a word. */
import * as z from 'zod';
import { wholeNumber, NAME_EXPECTED } from '../units.ts';
import { meant, show, valueSchema, ValueError } from '../values.ts';
import { isContainerName } from './replica-names.ts';

/** An absolute path inside the container, normalised only by dropping a trailing slash. */
export function parseAbsolutePath(input: unknown): string {
  if (typeof input !== 'string' || !input.startsWith('/') || input.length > 4095) {
    throw new ValueError(`${show(input)} is not an absolute path`, 'a path that begins with /');
  }
  if (input.split('/').includes('..')) {
    throw new ValueError(`${show(input)} goes up by '..'`, "an absolute path without '..'");
  }
  return input === '/' ? input : input.replace(/\/+$/, '') || '/';
}

export const absolutePathSchema = valueSchema(parseAbsolutePath, { type: 'string', pattern: '^/' });

/** A whole number from `least` to `most`. */
export function boundedCount(what: string, least: number, most: number): z.ZodType<number> {
  const expected = `a whole number from ${least} to ${most}`;
  return valueSchema(
    (input) => {
      if (typeof input !== 'number') {
        throw new ValueError(`${show(input)} is not a ${what}`, expected);
      }
      const count = wholeNumber(input, what, expected);
      if (count < least || count > most) {
        throw new ValueError(`${count} is not a usable ${what}`, expected);
      }
      return count;
    },
    { type: 'integer', minimum: least, maximum: most },
  );
}

/** What must be true of another container before this one starts. */
export type DependencyCondition = 'started' | 'healthy' | 'completed';
const CONDITIONS: readonly DependencyCondition[] = ['started', 'healthy', 'completed'];

/** The Compose specification's names for them. */
const COMPOSE_CONDITIONS: Readonly<Record<string, DependencyCondition>> = {
  service_started: 'started',
  service_healthy: 'healthy',
  service_completed_successfully: 'completed',
};

const condition = valueSchema(
  (input): DependencyCondition => {
    const word = CONDITIONS.find((c) => c === input);
    if (word === undefined) {
      const compose = typeof input === 'string' ? COMPOSE_CONDITIONS[input] : undefined;
      const hint = compose === undefined ? meant(input, CONDITIONS) : `Compose's ${String(input)} is ${compose} here`;
      throw new ValueError(`${show(input)} is not a condition`, CONDITIONS.join(', '), hint);
    }
    return word;
  },
  { enum: CONDITIONS },
);

const containerName = valueSchema(
  (input) => {
    if (typeof input !== 'string' || !isContainerName(input)) {
      throw new ValueError(`${show(input)} cannot name a container`, NAME_EXPECTED);
    }
    return input;
  },
  { type: 'string' },
);

/** A condition as written; `required: false` where this one starts also without the other. */
export interface Dependency {
  readonly condition: DependencyCondition;
  readonly required: boolean;
}

const dependency = z.union([
  condition.transform((word): Dependency => ({ condition: word, required: true })),
  z
    .strictObject({ condition: condition.optional(), required: z.boolean().optional() })
    .transform((d): Dependency => ({ condition: d.condition ?? 'started', required: d.required ?? true })),
]);

/** A list of names, each meaning `started`, or a map of NAME: started | healthy | completed | { condition, required }. */
export const dependsOnSchema = z.union([
  z
    .array(containerName)
    .transform((names): Readonly<Record<string, Dependency>> =>
      Object.fromEntries(names.map((n) => [n, { condition: 'started', required: true } as const])),
    ),
  z.record(z.string(), dependency),
]) as z.ZodType<Readonly<Record<string, Dependency>>>;

/** The conditions by name, and the names that are not required. */
export function dependenciesOf(input: Readonly<Record<string, Dependency>> | undefined): {
  readonly dependsOn: Readonly<Record<string, DependencyCondition>>;
  readonly optional: ReadonlySet<string>;
} {
  const all = Object.entries(input ?? {});
  return {
    dependsOn: Object.fromEntries(all.map(([name, d]) => [name, d.condition])),
    optional: new Set(all.flatMap(([name, d]) => (d.required ? [] : [name]))),
  };
}
