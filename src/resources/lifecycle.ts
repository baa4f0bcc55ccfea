/** `lifecycle:` of a resource: what is protected, what is left alone, and what makes it anew. */
import * as z from 'zod';
import type { AttributeTable, Value } from './attribute.ts';
import { isMap } from './attribute.ts';
import { fitsGlob } from './glob.ts';
import { meant, show, valueSchema, ValueError } from './values.ts';

/** Names of attributes and of entries below them, with `*`; or whatever the managers that fit a glob have claimed. */
export type IgnoreRule = string | { readonly manager: string };

export interface Lifecycle {
  /** Kept on the live object; undefined leaves there what is there. */
  readonly preventDestroy: boolean | undefined;
  readonly ignoreChanges: readonly IgnoreRule[];
  readonly createBeforeDestroy: boolean;
  /** ADDRESS or ADDRESS.ATTRIBUTE. */
  readonly replaceTriggeredBy: readonly string[];
}

export const NO_LIFECYCLE: Lifecycle = {
  preventDestroy: undefined,
  ignoreChanges: [],
  createBeforeDestroy: false,
  replaceTriggeredBy: [],
};

const PATTERN = /^[A-Za-z0-9_*][A-Za-z0-9_.*/:+-]*$/;

const MANAGER_PATTERN = /^[A-Za-z0-9*?][A-Za-z0-9_.@:/*?-]{0,62}$/;

const patternSchema = valueSchema(
  (input): IgnoreRule => {
    if (typeof input === 'object' && input !== null && !Array.isArray(input)) {
      return managerRule(input as Record<string, unknown>);
    }
    if (typeof input !== 'string' || !PATTERN.test(input)) {
      throw new ValueError(
        `${show(input)} is not the name of an attribute`,
        'a name as plans show it such as memory.max, one entry such as env.DEBUG, a pattern such as io.*, or { manager: NAME }',
      );
    }
    return input;
  },
  {
    anyOf: [
      { type: 'string', examples: ['memory.max', 'env.DEBUG', 'io.*'] },
      {
        type: 'object',
        properties: { manager: { type: 'string', examples: ['autoscaler'] } },
        required: ['manager'],
        additionalProperties: false,
      },
    ],
  },
);

function managerRule(input: Readonly<Record<string, unknown>>): IgnoreRule {
  const { manager } = input;
  const other = Object.keys(input).find((key) => key !== 'manager');
  if (other !== undefined) {
    throw new ValueError(`unknown key '${other}'`, '{ manager: NAME }', meant(other, ['manager']), [other]);
  }
  if (typeof manager !== 'string' || !MANAGER_PATTERN.test(manager)) {
    throw new ValueError(
      `${show(manager)} is not the name of a manager`,
      'a name such as autoscaler, or a pattern such as scaler-*',
      undefined,
      manager === undefined ? [] : ['manager'],
    );
  }
  return { manager };
}

const triggerSchema = valueSchema(
  (input): string => {
    if (typeof input !== 'string' || !/^[a-z]+\/\S+$/.test(input)) {
      throw new ValueError(
        `${show(input)} is not the address of a resource`,
        'KIND/NAME or KIND/NAME.ATTRIBUTE such as container/db or cgroup/tenants.memory.max',
      );
    }
    return input;
  },
  { type: 'string', examples: ['container/db', 'cgroup/tenants.memory.max'] },
);

const allSchema = valueSchema(
  (input): string[] => {
    if (input !== 'all') {
      throw new ValueError(`${show(input)} is not a list of attributes`, "a list such as [memory.max], or 'all'");
    }
    return ['*'];
  },
  { const: 'all' },
);

export const lifecycleSchema = z
  .strictObject({
    prevent_destroy: z.boolean().optional(),
    ignore_changes: z.union([allSchema, z.array(patternSchema)]).optional(),
    create_before_destroy: z.boolean().optional(),
    replace_triggered_by: z.array(triggerSchema).optional(),
  })
  .transform((input): Lifecycle => ({
    preventDestroy: input.prevent_destroy,
    ignoreChanges: input.ignore_changes ?? [],
    createBeforeDestroy: input.create_before_destroy ?? false,
    replaceTriggeredBy: input.replace_triggered_by ?? [],
  }));

const sentence = z.string().min(1);

/** Expressions (CEL) that must be true before anything is done to the resource. */
export const preconditionsSchema = z.array(z.strictObject({ assert: sentence, message: sentence.optional() }));

/** What every resource may have besides its own keys. */
export const commonShape = {
  lifecycle: lifecycleSchema.optional(),
  for_each: z.unknown().optional(),
  preconditions: preconditionsSchema.optional(),
};

/** Whether it runs, is supervised and is where it belongs is nobody's to ignore. */
const NEVER: ReadonlySet<string> = new Set([
  'state',
  'supervisor',
  'hierarchies',
  'placement',
  'pin',
  'keeper',
  'adopted',
  'health',
  'cgroup',
  'type',
]);

/** Names of attributes that can be ignored. */
export function ignorable(table: AttributeTable): string[] {
  return [...table.values()].filter((a) => a.change !== 'read-only' && !NEVER.has(a.name)).map((a) => a.name);
}

/** What a pattern leaves alone of an attribute: all of it, those entries of its map that fit a glob, or nothing. */
export function ignoredPart(pattern: string, name: string): true | string | undefined {
  if (NEVER.has(name)) {
    return undefined;
  }
  // `memory` stands for everything whose name begins with it.
  if (fitsGlob(pattern, name) || name.startsWith(`${pattern}.`)) {
    return true;
  }
  return pattern.startsWith(`${name}.`) ? pattern.slice(name.length + 1) : undefined;
}

/** The value that is left where some of what is declared is ignored: what is live there. */
export function withoutIgnored(
  patterns: readonly string[],
  name: string,
  declared: Value | undefined,
  live: Value | undefined,
): Value | undefined {
  let result = declared;
  for (const pattern of patterns) {
    const part = ignoredPart(pattern, name);
    if (part === true) {
      return live ?? declared;
    }
    if (part !== undefined && isMap(result) && isMap(live)) {
      result = merged(result, live, part);
    }
  }
  return result;
}

type Entries = Readonly<Record<string, string>>;

function merged(declared: Entries, live: Entries, ignored: string): Entries {
  const kept = Object.entries(declared).filter(([key]) => !isEntry(ignored, key));
  return Object.fromEntries([...kept, ...Object.entries(live).filter(([key]) => isEntry(ignored, key))]);
}

/** Whether a key of a map is meant: '8:0' is every limit of the device, as '8:0 rbps'. Targets of mounts may have spaces. */
export function isEntry(glob: string, key: string): boolean {
  return fitsGlob(glob, key) || (!key.startsWith('/') && key.includes(' ') && fitsGlob(glob, key.split(' ')[0] ?? ''));
}

/** The address of a trigger among those known, and the attribute it names. */
export function triggerOf(
  trigger: string,
  known: (address: string) => boolean,
): { readonly address: string; readonly attribute: string | undefined } | undefined {
  if (known(trigger)) {
    return { address: trigger, attribute: undefined };
  }
  // Names may have dots: the longest that is one counts.
  for (let dot = trigger.lastIndexOf('.'); dot > 0; dot = trigger.lastIndexOf('.', dot - 1)) {
    const address = trigger.slice(0, dot);
    if (known(address)) {
      return { address, attribute: trigger.slice(dot + 1) };
    }
  }
  return undefined;
}

/** What the label says of protection: as declared, and where nothing is declared as it is. */
export function isKept(lifecycle: Lifecycle | undefined, was: boolean | undefined): boolean {
  return lifecycle?.preventDestroy ?? was ?? false;
}

/** What a label keeps of it: what must hold without the file. */
export interface LifecycleRecord {
  readonly protect?: boolean | undefined;
  readonly ignore?: readonly IgnoreRule[] | undefined;
}

/** The label's part of it; nothing where there is nothing to say. @param was whether it is protected so far */
export function lifecycleRecord(lifecycle: Lifecycle | undefined, was: boolean | undefined): LifecycleRecord {
  const rules = lifecycle?.ignoreChanges ?? [];
  return {
    ...(lifecycle?.preventDestroy === undefined && was !== true
      ? {}
      : { protect: isKept(lifecycle, was) ? true : undefined }),
    // Said where there are none, too: a label keeps what nothing is said of.
    ignore: rules.length === 0 ? undefined : rules,
  };
}

/** The same as it is read back. */
export function recordedLifecycle({ protect, ignore }: LifecycleRecord): {
  readonly isProtected?: boolean;
  readonly ignores?: readonly IgnoreRule[];
} {
  return { ...(protect === true ? { isProtected: true } : {}), ...(ignore === undefined ? {} : { ignores: ignore }) };
}

/** Whether a label says something else of it than the stack. */
export function lifecycleStale(
  lifecycle: Lifecycle | undefined,
  observed: ReturnType<typeof recordedLifecycle>,
): boolean {
  return (
    isKept(lifecycle, observed.isProtected) !== (observed.isProtected ?? false) ||
    JSON.stringify(lifecycle?.ignoreChanges ?? []) !== JSON.stringify(observed.ignores ?? [])
  );
}
