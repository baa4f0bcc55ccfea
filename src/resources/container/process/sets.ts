/** The five capability sets of a container: as declared, as given, and as the program has them (capabilities(7)). */
import * as z from 'zod';
import type { CapabilitySets } from '../../../kernel/init-spec.ts';
import type { Attribute } from '../../attribute.ts';
import { CAPABILITIES, capabilitiesSchema, capabilityMask, type Capability } from '../capabilities.ts';

/** Without the bounding set, which is the attribute `capabilities` itself. */
export const INNER_SETS = ['permitted', 'effective', 'inheritable', 'ambient'] as const;
type InnerSet = (typeof INNER_SETS)[number];

export interface CapabilitySpec {
  readonly bounding: readonly Capability[];
  /** What the stack says of the others; what it leaves out follows from the bounding set and the user. */
  readonly given: Readonly<Partial<Record<InnerSet, readonly Capability[]>>>;
}

type SetsInput = Partial<Record<InnerSet | 'bounding', readonly Capability[] | undefined>>;

const setsObject = z
  .strictObject({
    bounding: capabilitiesSchema.optional(),
    permitted: capabilitiesSchema.optional(),
    effective: capabilitiesSchema.optional(),
    inheritable: capabilitiesSchema.optional(),
    ambient: capabilitiesSchema.optional(),
  })
  .transform((sets, context): CapabilitySpec => {
    const spec = specOf(sets);
    for (const [part, whole] of CONTAINED) {
      const inner = sets[part];
      const outer = whole === 'bounding' ? spec.bounding : sets[whole];
      const name = outer === undefined ? undefined : inner?.find((c) => !outer.includes(c));
      if (name !== undefined) {
        const message = `${name} is in ${part}, but not in ${whole}`;
        context.addIssue({ code: 'custom', path: [part], message, params: { expected: `a part of ${whole}` } });
        return z.NEVER;
      }
    }
    return spec;
  });

/** What the kernel wants to lie within what. */
const CONTAINED: ReadonlyArray<readonly [InnerSet, InnerSet | 'bounding']> = [
  ['effective', 'permitted'],
  ['ambient', 'permitted'],
  ['ambient', 'inheritable'],
  ['permitted', 'bounding'],
  ['inheritable', 'bounding'],
  ['effective', 'bounding'],
  ['ambient', 'bounding'],
];

function specOf({ bounding, ...sets }: SetsInput): CapabilitySpec {
  const all = new Set(Object.values(sets).flatMap((names) => names ?? []));
  const given = Object.fromEntries(Object.entries(sets).filter(([, names]) => names !== undefined));
  return { bounding: bounding ?? [...all].sort(), given };
}

/** A list is the bounding set, from which the others follow. */
export const capabilitySetsSchema: z.ZodType<CapabilitySpec> = z.union([
  capabilitiesSchema.transform((bounding): CapabilitySpec => ({ bounding, given: {} })),
  setsObject,
]);

/**
 * The sets before the exec. Inheritable stays empty unless asked for (CVE-2022-24769); for a user other than root what
 * is granted is ambient too, or the exec would drop it.
 */
export function givenSets({ bounding, given }: CapabilitySpec, uid: number): CapabilitySets {
  const mask = (name: InnerSet, otherwise: bigint): bigint => {
    const names = given[name];
    return names === undefined ? otherwise : capabilityMask(names);
  };
  const all = capabilityMask(bounding);
  const permitted = mask('permitted', all);
  const effective = mask('effective', permitted);
  const ambient = mask('ambient', uid === 0 ? 0n : mask('inheritable', effective) & permitted);
  return { bounding: all, permitted, effective, inheritable: mask('inheritable', ambient), ambient };
}

/** What an exec without file capabilities makes of them ("Transformation of capabilities during execve()"). */
export function afterExec(sets: CapabilitySets, uid: number): CapabilitySets {
  const permitted = uid === 0 ? sets.bounding | sets.inheritable | sets.ambient : sets.ambient;
  return { ...sets, permitted, effective: permitted };
}

/** By mask: there are few, and each is asked for several times for every container. */
const namesOf = new Map<bigint, readonly string[]>();

/** Names of a mask, sorted. */
export function capabilityNames(mask: bigint): readonly string[] {
  const names = namesOf.get(mask) ?? CAPABILITIES.filter((_, bit) => ((mask >> BigInt(bit)) & 1n) === 1n).sort();
  namesOf.set(mask, names);
  return names;
}

export const setName = (set: InnerSet): string => `capabilities.${set}`;

/** Desired values of the four inner sets. */
export function desiredSets(spec: CapabilitySpec, uid: number): Record<string, readonly string[]> {
  const sets = afterExec(givenSets(spec, uid), uid);
  return Object.fromEntries(INNER_SETS.map((set) => [setName(set), capabilityNames(sets[set])]));
}

const DOCS: Readonly<Record<InnerSet, string>> = {
  permitted: 'the most it can make effective',
  effective: 'what the kernel checks',
  inheritable: 'what programs with file capabilities may keep',
  ambient: 'what programs without file capabilities keep',
};

export const SET_ATTRIBUTES: readonly Attribute[] = INNER_SETS.map((set) => ({
  name: setName(set),
  change: 'replace',
  reason: 'a process cannot be given capabilities from outside',
  list: 'set',
  observed: 'live',
  doc: `${DOCS[set]}, once its program runs`,
  source: 'capabilities(7)',
}));
