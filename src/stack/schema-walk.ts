/** What a schema accepts at a place: the keys of maps and the shapes of values, read from zod's own description. */
import type * as z from 'zod';

/** The shape of a YAML value. */
export type Shape = 'map' | 'list' | 'text' | 'number' | 'boolean' | 'empty';

/** The part of zod's internal definition that is read here. */
interface Definition {
  readonly type: string;
  readonly innerType?: z.ZodType;
  readonly in?: z.ZodType;
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly element?: z.ZodType;
  readonly valueType?: z.ZodType;
  readonly catchall?: z.ZodType;
  readonly options?: readonly z.ZodType[];
  readonly getter?: () => z.ZodType;
  readonly values?: readonly unknown[];
  readonly entries?: Readonly<Record<string, unknown>>;
}

function definition(schema: z.ZodType): Definition {
  return schema._zod.def as unknown as Definition;
}

/** The schema without optional, default, lazy and transforms around it. */
export function bare(schema: z.ZodType): z.ZodType {
  const def = definition(schema);
  const inner =
    def.innerType ??
    def.getter?.() ??
    (def.type === 'pipe' && definition(def.in as z.ZodType).type !== 'unknown' ? def.in : undefined);
  return inner === undefined ? schema : bare(inner);
}

/** The branches of a union, or the schema alone. */
export function branches(schema: z.ZodType): readonly z.ZodType[] {
  const { options } = definition(bare(schema));
  return options === undefined ? [bare(schema)] : options.flatMap((option) => branches(option));
}

/** Schemas that a value at the path is held against; several through unions. */
export function schemasAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly z.ZodType[] {
  let here = branches(schema);
  for (const step of path) {
    here = here.flatMap((option) => {
      const def = definition(option);
      const next = def.shape?.[String(step)] ?? def.element ?? def.valueType ?? def.catchall;
      return next === undefined ? [] : branches(next);
    });
  }
  return here;
}

/** Keys that a map at the path may have. */
export function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  return [...new Set(schemasAt(schema, path).flatMap((option) => Object.keys(definition(option).shape ?? {})))];
}

/** Shapes a branch accepts at all; empty when it does not say. */
export function shapesOf(schema: z.ZodType): readonly Shape[] {
  const option = bare(schema);
  const def = definition(option);
  switch (def.type) {
    case 'object':
    case 'record':
      return ['map'];
    case 'array':
      return ['list'];
    case 'string':
    case 'enum':
      return ['text'];
    case 'literal':
      return (def.values ?? []).map(shapeOf);
    case 'number':
      return ['number'];
    case 'boolean':
      return ['boolean'];
    case 'union':
      return branches(option).flatMap(shapesOf);
    default:
      return metaShapes((schema as { meta?: () => unknown }).meta?.());
  }
}

const JSON_SHAPES: Readonly<Record<string, Shape>> = {
  string: 'text',
  integer: 'number',
  number: 'number',
  boolean: 'boolean',
  array: 'list',
  object: 'map',
};

function metaShapes(meta: unknown): readonly Shape[] {
  const {
    type,
    enum: values,
    const: only,
  } = (meta ?? {}) as { type?: string | string[]; enum?: unknown[]; const?: unknown };
  if (type === undefined) {
    return values === undefined && only === undefined ? [] : (values ?? [only]).map(shapeOf);
  }
  return [type].flat().flatMap((name) => JSON_SHAPES[name] ?? []);
}

export function shapeOf(value: unknown): Shape {
  if (value === null || value === undefined) {
    return 'empty';
  }
  if (Array.isArray(value)) {
    return 'list';
  }
  return typeof value === 'object'
    ? 'map'
    : typeof value === 'number'
      ? 'number'
      : typeof value === 'boolean'
        ? 'boolean'
        : 'text';
}

const SHAPE_WORDS: Readonly<Record<Shape, string>> = {
  map: 'a map',
  list: 'a list',
  text: 'text',
  number: 'a number',
  boolean: 'true or false',
  empty: 'nothing',
};

/** 'text or a map'. */
export function shapeWords(shapes: readonly Shape[]): string {
  const words = [...new Set(shapes)].map((shape) => SHAPE_WORDS[shape]);
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}
