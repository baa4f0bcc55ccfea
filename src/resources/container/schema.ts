/** Containers in the stack language. */
import * as z from 'zod';
import { NAMESPACE_TYPES } from '../../kernel/init-spec.ts';
import type { NamespaceType } from '../../kernel/init-spec.ts';
import type { KnobValue } from '../cgroup/knob.ts';
import { cgroupFieldsShape, collectKnobs } from '../cgroup/schema.ts';
import { deviceUseSchema } from '../devices/schema.ts';
import type { DeviceUse } from '../devices/schema.ts';
import { defaultUse, namespaceUsesSchema } from '../namespace/schema.ts';
import type { NamespaceUse } from '../namespace/schema.ts';
import { sysctlsSchema, type Sysctls } from '../namespace/sysctls.ts';
import { collectNetwork, type NetworkValues } from '../network/schema.ts';
import { commonShape } from '../lifecycle.ts';
import { signalSchema } from '../signals.ts';
import { durationSchema, NAME_PATTERN } from '../units.ts';
import { show, valueSchema, ValueError } from '../values.ts';
import type { Capability } from './capabilities.ts';
import { argvSchema, envSchema, mergedArgv, type ArgvParts } from './command.ts';
import { absolutePathSchema, dependenciesOf, dependsOnSchema } from './fields.ts';
import type { DependencyCondition } from './fields.ts';
import { defaultHostname } from './replica-names.ts';
import { replicasShape } from './replicas.ts';
import type { UpdateSpec } from './replicas.ts';
import { hooksShape, type HookSpec } from './hooks.ts';
import { terminalShape, type TerminalSpec } from './terminal.ts';
import { healthShape, type HealthSpec } from './health.ts';
import { capabilitySetsSchema, type CapabilitySpec } from './process/sets.ts';
import { confineOf, confineShape, type ConfineSpec } from './process/confine.ts';
import { startOf, startShape, type StartSettings } from './process/start.ts';
import { settingsOf, settingsShape, type Settings } from './process/settings.ts';
import { filesPart, filesShape, type FilesPart } from './files.ts';
import { mountsPart, mountsShape, type MountsPart } from './mounts/schema.ts';
import { logOf, logSchema, type LogSpec } from './log.ts';
import { DEFAULT_BACKOFF, restartSchema } from './restart.ts';
import type { RestartWord } from './restart.ts';
import { seccompSchema, seccompUse, type SeccompUse } from './seccomp/use.ts';
import { sharedUse, shareSchema } from './share.ts';
import { imageSchema, rootfsSchema, rootfsSpec, type RootfsSpec } from './rootfs.ts';
import { userSchema } from './user.ts';
import type { UserSpec } from './user.ts';

export type { DependencyCondition } from './fields.ts';
export type { RestartWord } from './restart.ts';
export type { RootfsSpec } from './rootfs.ts';
export type { UserSpec } from './user.ts';
export type { Capability } from './capabilities.ts';

export interface RestartSpec {
  readonly policy: RestartWord;
  /** Restarts in a row before giving up; 0 means no bound. */
  readonly max: number;
  /** First delay and its cap, ms. */
  readonly backoff: number;
  readonly backoffMax: number;
}

export interface ContainerSpec extends MountsPart, FilesPart {
  /** NAME[0] for a replica. */
  readonly name: string;
  /** Its cgroup below the stack's directory, where that is not what its name says: planner/places.ts. */
  readonly leaf?: string;
  /** How a change that ends replicas rolls over them; null for the default. */
  readonly update: UpdateSpec | null;
  readonly rootfs: RootfsSpec;
  /** What is started: entrypoint and command. */
  readonly command: readonly string[];
  /** What of it the stack says. */
  readonly argv: ArgvParts;
  /** Keys that the stack gives itself: an image's word counts for the others. */
  readonly own: ReadonlySet<'working_dir' | 'user' | 'stop_signal'>;
  /** Attributes that only the apply will know: of an image that is not fetched or unpacked. */
  readonly unknown: readonly string[];
  /** Paths that an image declares as volumes. */
  readonly imageVolumes: readonly string[];
  /** This spec before an image had its say. */
  readonly plain?: ContainerSpec;
  readonly env: Readonly<Record<string, string>>;
  readonly workingDir: string;
  readonly user: UserSpec;
  /** Without CAP_, sorted. The process and its children have these and no others. */
  readonly capabilities: readonly Capability[];
  /** All five sets. */
  readonly capabilitySets: CapabilitySpec;
  readonly noNewPrivs: boolean;
  readonly seccomp: SeccompUse;
  /** 'default' stands for tsbox's own list. */
  readonly maskedPaths: readonly string[] | 'default';
  readonly readonlyPaths: readonly string[] | 'default';
  readonly log: LogSpec;
  readonly restart: RestartSpec;
  readonly stopSignal: number;
  /** ms between the stop signal and the kill. */
  readonly stopGracePeriod: number;
  readonly healthcheck: HealthSpec;
  /** In the order in which they run. */
  readonly hooks: readonly HookSpec[];
  readonly terminal: TerminalSpec;
  /** By container name. */
  readonly dependsOn: Readonly<Record<string, DependencyCondition>>;
  /** Those of them, as the stack names them, without which it starts all the same. */
  readonly optional: ReadonlySet<string>;
  /** Path of the declared cgroup its own is a child of; null is the stack's own. */
  readonly cgroup: string | null;
  /** Complete: every type has a use. A uts one that is new has its hostname filled in. */
  readonly namespaces: Readonly<Record<NamespaceType, NamespaceUse>>;
  /** Kernel parameters of namespaces of its own. */
  readonly sysctls: Sysctls;
  /** The name of a declared rule set, or rules; null is the default set. */
  readonly devices: DeviceUse | null;
  /** What is set on its process from outside. */
  readonly settings: Settings;
  readonly start: StartSettings;
  /** What it asks for itself. */
  readonly confine: ConfineSpec;
  /** Network tag and bandwidth by attribute name, only what the stack says. */
  readonly network: NetworkValues;
  /** Canonical values by knob name ('memory.max'), only what the stack says. */
  readonly knobs: Readonly<Record<string, KnobValue>>;
}

const cgroupPathSchema = valueSchema(
  (input) => {
    if (typeof input !== 'string' || !input.split('/').every((part) => NAME_PATTERN.test(part))) {
      throw new ValueError(
        `${show(input)} is not the path of a cgroup`,
        'the path of a declared cgroup such as tenants/api',
      );
    }
    return input;
  },
  { type: 'string' },
);

const pathsSchema = z.union([
  valueSchema(
    (input): 'default' => {
      if (input !== 'default') {
        throw new ValueError(`${show(input)} is not a list of paths`, "a list of absolute paths, or 'default'");
      }
      return input;
    },
    { const: 'default' },
  ),
  z.array(absolutePathSchema),
]);

const ownShape = {
  ...commonShape,
  ...replicasShape,
  rootfs: rootfsSchema.optional(),
  ...mountsShape,
  ...filesShape,
  image: imageSchema.optional(),
  entrypoint: argvSchema.optional(),
  command: argvSchema.optional(),
  env: envSchema.optional(),
  working_dir: absolutePathSchema.optional(),
  user: userSchema.optional(),
  capabilities: capabilitySetsSchema.optional(),
  no_new_privs: z.boolean().optional(),
  seccomp: seccompSchema.optional(),
  masked_paths: pathsSchema.optional(),
  readonly_paths: pathsSchema.optional(),
  log: logSchema.optional(),
  restart: restartSchema.optional(),
  stop_signal: signalSchema.optional(),
  stop_grace_period: durationSchema.optional(),
  depends_on: dependsOnSchema.optional(),
  ...healthShape,
  ...hooksShape,
  ...terminalShape,
  cgroup: cgroupPathSchema.optional(),
  namespaces: namespaceUsesSchema.optional(),
  share: shareSchema.optional(),
  sysctls: sysctlsSchema().optional(),
  devices: deviceUseSchema.optional(),
  ...settingsShape,
  ...startShape,
  ...confineShape,
};

/** A container as parsed, before names, paths and defaults are filled in. */
export type ContainerInput = z.output<z.ZodObject<typeof ownShape>>;

/** True when something says what to start. */
function hasCommand(input: ContainerInput): boolean {
  const image = input.image ?? (typeof input.rootfs === 'object' ? input.rootfs.image : undefined);
  return image !== undefined || (input.entrypoint?.length ?? 0) + (input.command?.length ?? 0) > 0;
}

const isMap = (payload: { value: unknown }): boolean =>
  typeof payload.value === 'object' && payload.value !== null && !Array.isArray(payload.value);

/** An item of `containers:`. Fields of cgroups stand beside its own. */
export const containerSchema = z
  .strictObject({ ...cgroupFieldsShape(), ...ownShape })
  .refine((input) => hasCommand(input as unknown as ContainerInput), {
    path: ['command'],
    message: "'command' is empty",
    params: { expected: 'a list such as [ /bin/sleep, 60 ], or text for /bin/sh -c' },
    // Told together with whatever else is wrong.
    when: isMap,
  })
  .refine((input) => input.image === undefined || input.rootfs === undefined, {
    path: ['image'],
    message: 'image and rootfs both say what the container sees as /',
    params: { expected: 'one of them', at: 'key' },
    when: isMap,
  }) as unknown as z.ZodType<ContainerInput>;

/** Not restarted; where a policy is given, delays from 100 ms doubling to 30 s and no bound on their number. */
const DEFAULT_RESTART: RestartSpec = { policy: 'no', max: 0, backoff: DEFAULT_BACKOFF, backoffMax: 30_000 };

/** Fills in names and defaults. `resolvePath` makes a path absolute that stands at `at` in the item. */
export function containerSpec(
  name: string,
  input: ContainerInput,
  resolvePath: (path: string, ...at: readonly (string | number)[]) => string,
): ContainerSpec {
  const { restart } = input;
  const argv = { entrypoint: input.entrypoint ?? null, command: input.command ?? null };
  return {
    name,
    update: input.update ?? null,
    rootfs:
      input.image === undefined
        ? rootfsSpec(input.rootfs, (path, key) => resolvePath(path, 'rootfs', key))
        : rootfsSpec({ image: input.image }, resolvePath),
    ...mountsPart(input, resolvePath),
    ...filesPart(input),
    command: mergedArgv(argv, { entrypoint: null, command: null }),
    argv,
    own: new Set((['working_dir', 'user', 'stop_signal'] as const).filter((key) => input[key] !== undefined)),
    unknown: [],
    imageVolumes: [],
    env: input.env ?? {},
    workingDir: input.working_dir ?? '/',
    user: withGroups(input.user ?? { user: 0, group: 0, groups: [] }, input.group_add ?? []),
    capabilities: input.capabilities?.bounding ?? [],
    capabilitySets: input.capabilities ?? { bounding: [], given: {} },
    noNewPrivs: input.no_new_privs ?? true,
    seccomp: seccompUse(input.seccomp, (path) => resolvePath(path, 'seccomp', 'profile')),
    maskedPaths: input.masked_paths ?? 'default',
    readonlyPaths: input.readonly_paths ?? 'default',
    log: logOf(input.log),
    restart: {
      policy: restart?.policy ?? DEFAULT_RESTART.policy,
      max: restart?.max ?? DEFAULT_RESTART.max,
      backoff: restart?.backoff ?? DEFAULT_RESTART.backoff,
      backoffMax: restart?.backoff_max ?? Math.max(DEFAULT_RESTART.backoffMax, restart?.backoff ?? 0),
    },
    stopSignal: input.stop_signal ?? 15,
    stopGracePeriod: input.stop_grace_period ?? 10_000,
    healthcheck: input.healthcheck ?? null,
    hooks: input.hooks ?? [],
    terminal: { tty: input.tty ?? false, stdin: input.stdin ?? false, init: input.init ?? false },
    ...dependenciesOf(input.depends_on),
    cgroup: input.cgroup ?? null,
    namespaces: allUses(name, input),
    sysctls: { ...settingSysctls(input), ...input.sysctls },
    devices: input.devices ?? null,
    settings: settingsOf(input),
    start: startOf(input),
    confine: confineOf(input),
    network: collectNetwork(input as unknown as Readonly<Record<string, unknown>>),
    knobs: collectKnobs(input as unknown as Readonly<Record<string, unknown>>),
  };
}

/** Those written as settings of a new namespace. */
function settingSysctls(input: ContainerInput): Sysctls {
  return Object.assign(
    {},
    ...Object.values(input.namespaces ?? {}).map((use) => (use?.kind === 'new' ? use.settings.sysctls : {})),
  ) as Sysctls;
}

/** Each group once. */
function withGroups(user: UserSpec, more: readonly (string | number)[]): UserSpec {
  return more.length === 0 ? user : { ...user, groups: [...new Set([...user.groups, ...more])] };
}

function allUses(name: string, input: ContainerInput): Readonly<Record<NamespaceType, NamespaceUse>> {
  const uses = {} as Record<NamespaceType, NamespaceUse>;
  for (const type of NAMESPACE_TYPES) {
    const use = input.namespaces?.[type] ?? sharedUse(input.share, type) ?? defaultUse(type);
    uses[type] =
      type === 'uts' && use.kind === 'new' && use.settings.hostname === null
        ? { kind: 'new', settings: { ...use.settings, hostname: defaultHostname(name) } }
        : use;
  }
  return uses;
}
