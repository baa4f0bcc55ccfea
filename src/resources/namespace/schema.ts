/** Namespaces in the stack language: declared ones (`namespaces:`) and the use a container makes of each type. */
import * as z from 'zod';
import { NAMESPACE_TYPES } from '../../kernel/init-spec.ts';
import type { NamespaceType } from '../../kernel/init-spec.ts';
import { commonShape } from '../lifecycle.ts';
import type { TimeOffset } from '../units.ts';
import { checkUser, userShape } from './id-maps.ts';
import type { IdAllocation, IdMap, UserInput } from './id-maps.ts';
import { offsetSetting, hostSchema, SETTINGS_OF } from './settings.ts';
import { sysctlsSchema, sysctlType, type Sysctls } from './sysctls.ts';
import { parseNamespaceUse } from './use.ts';

export type { IdAllocation, IdMap } from './id-maps.ts';

/** What can be set in a new namespace; each setting belongs to one type and is null or empty in the others. */
export interface NamespaceSettings {
  /** uts. In a container null means the container's name; in a declared namespace it leaves the host's. */
  readonly hostname: string | null;
  /** uts. null leaves the host's. */
  readonly domainname: string | null;
  /** user. How the maps are found, when they are not written out: they are empty until resources/userns has. */
  readonly ids: IdAllocation | null;
  /** user. Otherwise never empty in a user namespace; see DEFAULT_ID_MAPS. */
  readonly uids: readonly IdMap[];
  readonly gids: readonly IdMap[];
  /** user. Whether setgroups(2) may be called inside; the kernel's default is allow. */
  readonly setgroups: 'allow' | 'deny';
  /** time. Added to CLOCK_MONOTONIC and CLOCK_BOOTTIME inside; null is not declared (the kernel's 0). */
  readonly monotonic: TimeOffset | null;
  readonly boottime: TimeOffset | null;
  /** net, ipc, user. */
  readonly sysctls: Sysctls;
}

/** A declared namespace: pinned, it outlives its members. */
export interface NamespaceSpec extends NamespaceSettings {
  readonly name: string;
  readonly type: NamespaceType;
}

/** Where a container takes the namespace of one type from. */
export type NamespaceUse =
  | { readonly kind: 'new'; readonly settings: NamespaceSettings }
  | { readonly kind: 'host' }
  | { readonly kind: 'declared'; readonly name: string }
  /** That of another container; stack null is this stack. */
  | { readonly kind: 'container'; readonly name: string; readonly stack: string | null }
  | { readonly kind: 'pid'; readonly pid: number }
  /** A namespace file such as /run/netns/x, absolute. */
  | { readonly kind: 'path'; readonly path: string };

/** The map of a user namespace that declares none: the customary first range of subordinate ids, never host root. */
export const DEFAULT_ID_MAPS: readonly IdMap[] = [{ inside: 0, outside: 100_000, count: 65_536 }];

export const NO_SETTINGS: NamespaceSettings = {
  hostname: null,
  domainname: null,
  ids: null,
  uids: [],
  gids: [],
  setgroups: 'allow',
  monotonic: null,
  boottime: null,
  sysctls: {},
};

const settingsShape = {
  hostname: hostSchema('hostname').optional(),
  domainname: hostSchema('domainname').optional(),
  ...userShape,
  monotonic: offsetSetting.optional(),
  boottime: offsetSetting.optional(),
  sysctls: sysctlsSchema().optional(),
};
type SettingKey = keyof typeof settingsShape;
type Settings = Partial<{ [K in SettingKey]: z.output<(typeof settingsShape)[K]> }>;

/** Settings of one type with the defaults filled in; maps given on one side only serve both. */
function completed(type: NamespaceType, given: Settings): NamespaceSettings {
  const ids = given.auto ?? given['keep-id'] ?? null;
  const maps = type === 'user' && ids === null ? DEFAULT_ID_MAPS : [];
  return {
    hostname: given.hostname ?? null,
    domainname: given.domainname ?? null,
    ids,
    uids: given.uids ?? given.gids ?? maps,
    gids: given.gids ?? given.uids ?? maps,
    setgroups: given.setgroups ?? 'allow',
    monotonic: given.monotonic ?? null,
    boottime: given.boottime ?? null,
    sysctls: given.sysctls ?? {},
  };
}

/** A new namespace of the type with nothing set. */
export function newNamespace(type: NamespaceType): NamespaceUse {
  return { kind: 'new', settings: completed(type, {}) };
}

/** A new user namespace whose maps are found. */
function allocated(ids: IdAllocation): NamespaceUse {
  return { kind: 'new', settings: { ...NO_SETTINGS, ids } };
}

/** What a container has where it says nothing: all its own, except the host's users and clocks. */
export function defaultUse(type: NamespaceType): NamespaceUse {
  return type === 'user' || type === 'time' ? { kind: 'host' } : newNamespace(type);
}

/** An item of `namespaces:` without its name. */
export const namespaceSchema = z
  .strictObject({ type: z.enum(NAMESPACE_TYPES), ...settingsShape, ...commonShape })
  .superRefine((value, context) => {
    for (const key of Object.keys(settingsShape) as SettingKey[]) {
      if (value[key] !== undefined && !SETTINGS_OF[value.type].includes(key)) {
        const owner = NAMESPACE_TYPES.find((t) => SETTINGS_OF[t].includes(key)) as NamespaceType;
        const expected =
          SETTINGS_OF[value.type].length === 0 ? 'no settings besides type' : SETTINGS_OF[value.type].join(', ');
        context.addIssue({
          code: 'custom',
          path: [key],
          message: `${key} is a setting of ${key === 'sysctls' ? 'user, net and ipc' : owner} namespaces, and this one is of type ${value.type}`,
          params: { expected, at: 'key' },
        });
      }
    }
    if (value.type === 'user') {
      checkUser(value, context);
    }
    const strange = Object.keys(value.sysctls ?? {}).find((k) => sysctlType(k) !== value.type);
    if (strange !== undefined && SETTINGS_OF[value.type].includes('sysctls')) {
      context.addIssue({
        code: 'custom',
        path: ['sysctls', strange],
        message: `${strange} belongs to ${sysctlType(strange)} namespaces, and this one is of type ${value.type}`,
        params: { expected: `a parameter of ${value.type} namespaces`, at: 'key' },
      });
    }
  })
  .transform(({ type, ...given }): Omit<NamespaceSpec, 'name'> => ({ type, ...completed(type, given) }));

/** A container's use of one type: text, or a map of that type's settings, which means a new one. */
function useSchema(type: NamespaceType): z.ZodType<NamespaceUse> {
  const shape = Object.fromEntries(
    SETTINGS_OF[type].map((k) => [
      k,
      k === 'sysctls' ? sysctlsSchema(type).optional() : settingsShape[k as SettingKey],
    ]),
  );
  const text = parseNamespaceUse(type, () => newNamespace(type), allocated);
  if (SETTINGS_OF[type].length === 0) {
    return text as z.ZodType<NamespaceUse>;
  }
  const settings = z
    .strictObject(shape)
    .superRefine((given, context) => {
      if (type === 'user') {
        checkUser(given as UserInput, context);
      }
    })
    .transform((given): NamespaceUse => ({ kind: 'new', settings: completed(type, given as Settings) }));
  return z.union([text, settings]);
}

/** `namespaces:` of a container; types left out are absent here, see defaultUse. */
export const namespaceUsesSchema = z.strictObject(
  Object.fromEntries(NAMESPACE_TYPES.map((t) => [t, useSchema(t).optional()])) as {
    [T in NamespaceType]: z.ZodOptional<z.ZodType<NamespaceUse>>;
  },
);
