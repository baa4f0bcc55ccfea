/** Preconditions, checks and policies held against a plan and what is live. */
import type { TsboxError } from '../errors.ts';
import type { Value } from '../resources/attribute.ts';
import { fitsGlob } from '../resources/glob.ts';
import type { Address, Declared, Observed } from '../resources/kind.ts';
import type { Expression, Stack } from '../stack/types.ts';
import type { Draft } from './cascade.ts';
import type { Blocked, CheckResult } from './plan.ts';

export interface Judged {
  readonly checks: readonly CheckResult[];
  /** Preconditions that are not met. */
  readonly refused: ReadonlyMap<Address, Blocked>;
}

const NOTHING: Judged = { checks: [], refused: new Map() };

/** Numbers as numbers; everything else as it is. */
export function plainValue(value: Value | undefined): unknown {
  return typeof value === 'string' && /^-?\d{1,18}$/.test(value) ? BigInt(value) : value;
}

function values(from: Readonly<Record<string, Value | undefined>> | null | undefined): Record<string, unknown> {
  const known = Object.entries(from ?? {}).filter(([, value]) => value !== undefined);
  return Object.fromEntries(known.map(([name, value]) => [name, plainValue(value)]));
}

/** Answers every condition of the stack. */
export async function judge(
  stack: Stack | undefined,
  drafts: ReadonlyMap<Address, Draft>,
  declared: ReadonlyMap<Address, Declared>,
  observed: ReadonlyMap<Address, Observed>,
): Promise<Judged> {
  if (stack === undefined || stack.conditions.length === 0) {
    return NOTHING;
  }
  const answers = await Promise.all(stack.conditions.map(async (c) => [c, await c.compile()] as const));
  const { resources, ...shared } = factsOf(stack, [...drafts.values()], declared, observed);
  const checks: CheckResult[] = [];
  const refused = new Map<Address, Blocked>();
  for (const [condition, answer] of answers) {
    const { kind, on, name } = condition;
    const addresses = kind === 'check' ? [undefined] : [...drafts.keys()].filter((a) => fits(a, on));
    for (const address of addresses) {
      const resource = address === undefined ? {} : resources[address];
      const result = answered(condition, () => answer({ ...shared, resources, ...resource }));
      if (result.status === 'error' && address !== undefined && drafts.get(address)?.action === 'delete') {
        // What goes declares nothing: a policy about removals asks for the action.
        continue;
      }
      checks.push({
        kind,
        name,
        severity: condition.severity,
        ...(address === undefined ? {} : { address }),
        ...result,
      });
      if (kind === 'precondition' && result.status !== 'pass' && address !== undefined) {
        const { message, at, sourceLine } = result;
        refused.set(address, { by: 'precondition', message: `${address}: ${message}`, at, sourceLine });
      }
    }
  }
  return { checks, refused };
}

/** What an expression may ask about: every resource, the variables, the name of the stack. */
export interface Facts {
  readonly resources: Readonly<Record<Address, Readonly<Record<string, unknown>>>>;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly stack: string;
}

export function factsOf(
  stack: Stack,
  changes: ReadonlyArray<Pick<Draft, 'address' | 'kind' | 'action' | 'missing' | 'attributes'>>,
  declared: ReadonlyMap<Address, Declared>,
  observed: ReadonlyMap<Address, Observed>,
): Facts {
  const resources = Object.fromEntries(
    changes.map((d) => {
      const live = observed.get(d.address);
      const resource = {
        address: d.address,
        kind: d.kind,
        name: d.address.slice(d.kind.length + 1),
        action: d.action,
        exists: live?.exists === true,
        drift: d.missing || d.attributes.some((a) => a.cause === 'drift' || a.cause === 'both'),
        desired: values(declared.get(d.address)?.desired),
        live: values(live?.live),
        applied: values(live?.applied),
        facts: values(live?.facts),
      };
      return [d.address, resource] as const;
    }),
  );
  const variables = Object.fromEntries(
    Object.entries(stack.variables).map(([name, { value }]) => [
      name,
      typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : value,
    ]),
  );
  return { resources, variables, stack: stack.name };
}

function fits(address: Address, pattern: string): boolean {
  return fitsGlob(pattern.includes('/') ? pattern : `${pattern}/*`, address);
}

/** What became of an expression. */
export function answered(
  condition: Expression,
  answer: () => unknown,
): Pick<CheckResult, 'status' | 'message' | 'at' | 'sourceLine'> {
  const here = { at: condition.at, sourceLine: condition.sourceLine };
  try {
    const value = answer();
    if (typeof value !== 'boolean') {
      return { status: 'error', message: `the expression is ${typeof value}, neither true nor false`, ...here };
    }
    const message = condition.message ?? `not true: ${condition.assert}`;
    return { status: value ? 'pass' : 'fail', message, ...here };
  } catch (error) {
    const told: TsboxError = condition.explain(error);
    const { at, sourceLine } = told.info;
    return { status: 'error', message: told.message, at, sourceLine };
  }
}
