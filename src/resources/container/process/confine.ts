/**
 * What a process asks for itself before its program runs, besides privileges: Landlock, the labels of AppArmor and
 * SELinux, the policy of its memory, a core scheduling group.
 */
import * as z from 'zod';
import { TsboxError } from '../../../errors.ts';
import type { Confinement } from '../../../kernel/confine-spec.ts';
import type { KernelReader } from '../../../kernel/reader.ts';
import { entriesOf, type Attribute, type Value } from '../../attribute.ts';
import type { Problem } from '../../kind.ts';
import type { Label } from '../../label.ts';
import { show, valueSchema, ValueError } from '../../values.ts';
import { landlockRules, landlockSchema, missingRights } from './landlock.ts';
import { memoryPolicyNumbers, memoryPolicySchema, missingMemory } from './memory-policy.ts';

function labelSchema(what: string, examples: readonly string[]): z.ZodType<string> {
  return valueSchema(
    (input): string => {
      // A blank begins a flag in what the kernel is told, and a line break would be cut off by it.
      if (typeof input !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(input)) {
        throw new ValueError(`${show(input)} is not ${what}`, `a name without blanks such as ${examples.join(', ')}`);
      }
      return input;
    },
    { type: 'string', examples },
  );
}

export const confineShape = {
  landlock: landlockSchema.optional(),
  apparmor: labelSchema('a profile of AppArmor', ['unconfined', 'my-profile']).optional(),
  selinux: labelSchema('a label of SELinux', ['system_u:system_r:container_t:s0:c1,c2']).optional(),
  memory_policy: memoryPolicySchema.optional(),
  core_sched: z.boolean().optional(),
};

/** Canonical values by attribute name. */
export interface ConfineSpec {
  /** Empty: not used. */
  readonly landlock: Readonly<Record<string, string>>;
  /** 'inherited': what the kernel makes of tsbox's own. */
  readonly apparmor: string;
  readonly selinux: string;
  readonly memory_policy: string;
  /** 'own' or 'shared'. */
  readonly core_sched: string;
}

const INHERITED = 'inherited';
const DEFAULTS: ConfineSpec = {
  landlock: {},
  apparmor: INHERITED,
  selinux: INHERITED,
  memory_policy: INHERITED,
  core_sched: 'shared',
};
export const CONFINE_DEFAULTS: Readonly<Record<string, Value>> = { ...DEFAULTS };

export function confineOf(input: {
  readonly landlock?: Readonly<Record<string, string>> | undefined;
  readonly apparmor?: string | undefined;
  readonly selinux?: string | undefined;
  readonly memory_policy?: string | undefined;
  readonly core_sched?: boolean | undefined;
}): ConfineSpec {
  return {
    landlock: input.landlock ?? DEFAULTS.landlock,
    apparmor: input.apparmor ?? INHERITED,
    selinux: input.selinux ?? INHERITED,
    memory_policy: input.memory_policy ?? INHERITED,
    core_sched: input.core_sched === true ? 'own' : 'shared',
  };
}

function row(name: keyof ConfineSpec, observed: Attribute['observed'], doc: string, source: string): Attribute {
  return { name, change: 'restart', observed, quiet: true, default: DEFAULTS[name], doc, source };
}

export const CONFINE_ATTRIBUTES: readonly Attribute[] = [
  row('landlock', 'recorded', 'files, TCP ports and scopes it restricts itself to', 'landlock(7)'),
  row('apparmor', 'live', 'profile of AppArmor', 'aa_change_onexec(2)'),
  row('selinux', 'live', 'label of SELinux', 'setexeccon(3)'),
  row('memory_policy', 'recorded', 'on which nodes its memory is taken, as started', 'set_mempolicy(2)'),
  row('core_sched', 'live', 'shares no core with processes outside its group', 'PR_SCHED_CORE(2const)'),
];

/** The security modules that run: /sys/module and /proc/filesystems tell, wherever securityfs is mounted or not. */
export function securityModules(reader: Pick<KernelReader, 'readFiles'>): { apparmor: boolean; selinux: boolean } {
  const [enabled, filesystems] = reader.readFiles(['/sys/module/apparmor/parameters/enabled', '/proc/filesystems']);
  return {
    apparmor: typeof enabled === 'string' && enabled.startsWith('Y'),
    selinux: typeof filesystems === 'string' && /\bselinuxfs\b/.test(filesystems),
  };
}

/** Why there are no core scheduling groups, undefined where there are. */
export function noCoreGroups(reader: Pick<KernelReader, 'scheduling'>): string | undefined {
  // 0 is the thread that asks.
  const found = reader.scheduling([0])[0];
  const core = typeof found === 'object' ? found.core : undefined;
  if (typeof core === 'string') {
    return undefined;
  }
  // ENODEV of prctl(2): the kernel has it, and no core has two threads.
  return core === -19 ? 'no core of this machine runs two threads at once' : 'this kernel has no core scheduling';
}

type Locate = (field: string) => Problem['error']['info']['at'];

/**
 * Tells what this machine or these privileges cannot do of it.
 * @returns the same, the label of SELinux as its policy writes it
 */
export function checkConfine(
  spec: ConfineSpec,
  reader: KernelReader,
  address: string,
  report: (problem: Problem) => void,
  locate: Locate,
): ConfineSpec {
  const tell: TellConfine = (severity, field, message, hint) =>
    report({
      severity,
      error: new TsboxError('TSB1009', `${address}: ${message}`, { at: locate(field), address, hint }),
    });
  if (Object.keys(spec.landlock).length > 0) {
    checkLandlock(spec.landlock, reader, tell);
  }
  const labels = { apparmor: 'AppArmor', selinux: 'SELinux' } as const;
  for (const [field, name] of Object.entries(labels) as Array<['apparmor' | 'selinux', string]>) {
    if (spec[field] !== INHERITED && !securityModules(reader)[field]) {
      tell(
        'error',
        field,
        `${name} is not enabled in this kernel`,
        `leave ${field} out; tsbox doctor tells what there is`,
      );
    }
  }
  checkProfile(spec.apparmor, reader, tell);
  const missing = spec.memory_policy === INHERITED ? undefined : missingMemory(spec.memory_policy, reader);
  if (missing !== undefined) {
    tell('error', 'memory_policy', missing.message, missing.hint);
  }
  const why = spec.core_sched === 'own' ? noCoreGroups(reader) : undefined;
  if (why !== undefined) {
    tell('error', 'core_sched', why, 'leave core_sched out');
  }
  return { ...spec, selinux: knownLabel(spec.selinux, reader, tell) };
}

type TellConfine = (severity: Problem['severity'], field: string, message: string, hint: string) => void;

/** The label in the form in which it is read back. */
function knownLabel(selinux: string, reader: KernelReader, tell: TellConfine): string {
  const answer = selinux === INHERITED ? 'not told' : reader.selinuxLabel(selinux);
  if (answer === 'unknown') {
    const hint = 'user, role, type and level must be known, and allowed together: seinfo and semanage list them';
    tell('error', 'selinux', `the policy knows no label ${selinux}`, hint);
  } else if (answer === 'no policy') {
    tell('error', 'selinux', 'no policy of SELinux is loaded', 'load_policy loads the one that is installed');
  }
  return typeof answer === 'object' ? answer.label : selinux;
}

/** 'web (enforce)' in two, as attr/current and the list of profiles have it; without a mode it is no profile. */
export function profileParts(text: string): { readonly profile: string; readonly mode: string } {
  const [, profile = text.trim(), mode = ''] = /^(.*) \(([a-z]+)\)$/.exec(text.trim()) ?? [];
  return { profile, mode };
}

/** A stack of profiles is told by its parts; what another policy namespace holds is not looked into. */
function checkProfile(apparmor: string, reader: KernelReader, tell: TellConfine): void {
  if (apparmor === INHERITED || apparmor.includes(':')) {
    return;
  }
  const [list] = reader.readFiles(['/sys/kernel/security/apparmor/profiles']);
  if (typeof list !== 'string') {
    return;
  }
  const modes = new Map(list.split('\n').map((line) => [profileParts(line).profile, profileParts(line).mode]));
  for (const name of apparmor.split('//&').filter((n) => n !== 'unconfined')) {
    if (!modes.has(name)) {
      // A process that has lost its profile is drift to be shown.
      tell('warning', 'apparmor', `no profile ${name} of AppArmor is loaded`, 'apparmor_parser -r FILE loads one');
    } else if (modes.get(name) === 'complain') {
      tell('warning', 'apparmor', `the profile ${name} complains, and denies nothing`, 'aa-enforce makes it deny');
    }
  }
}

function checkLandlock(landlock: ConfineSpec['landlock'], reader: KernelReader, tell: TellConfine): void {
  const abi = reader.landlockAbi();
  const missing = missingRights(landlock, Math.max(abi, 0));
  const what = abi < 0 ? 'this kernel has no Landlock' : `this kernel has version ${abi} of Landlock`;
  if (missing.length === 0) {
    return;
  }
  const names = missing.map(([name]) => name).join(', ');
  if (landlock['best_effort'] === 'true') {
    tell('warning', 'landlock', `${what}: not restricted: ${names}`, 'without best_effort this is an error');
    return;
  }
  const needed = Math.max(...missing.map(([, since]) => since));
  tell(
    'error',
    'landlock',
    `${what}, and ${names} needs version ${needed}`,
    abi > 0 && missing.every(([name]) => !/[. ]/.test(name))
      ? 'say in handled which rights are to be restricted, or best_effort: true'
      : 'best_effort: true goes on without it',
  );
}

/** What native/init makes of canonical values, those of a spec or of a label. */
export function confinementOf(
  values: Readonly<Record<string, Value>>,
  abi: () => number,
  coreGroup: Confinement['coreGroup'],
): Confinement {
  const restricts = Object.keys(entriesOf(values['landlock'])).length > 0;
  const landlock = restricts ? landlockRules(values['landlock'], abi()) : undefined;
  const given = (name: 'apparmor' | 'selinux' | 'memory_policy'): string | undefined => {
    const value = values[name];
    return typeof value === 'string' && value !== INHERITED ? value : undefined;
  };
  const apparmor = given('apparmor');
  const selinux = given('selinux');
  const policy = given('memory_policy');
  return {
    ...(landlock === undefined ? {} : { landlock }),
    labels: [
      ...(apparmor === undefined ? [] : [{ file: 'apparmor/exec', label: `exec ${apparmor}` }]),
      ...(selinux === undefined ? [] : [{ file: 'exec', label: selinux }]),
    ],
    ...(policy === undefined ? {} : { memoryPolicy: memoryPolicyNumbers(policy) }),
    ...(values['core_sched'] === 'own' && coreGroup !== undefined ? { coreGroup } : {}),
  };
}

const LABEL_FILES = { apparmor: 'attr/apparmor/current', selinux: 'attr/current' } as const;

/** The files of /proc/PID that liveConfine wants, by pid. Most containers were given no label, and their files are not read. */
export function labelFiles(
  reader: KernelReader,
  subjects: ReadonlyArray<{ readonly pid: number; readonly label: Label }>,
): ReadonlyMap<number, ReadonlyMap<string, string | undefined>> {
  const wanted = subjects.flatMap(({ pid, label }) =>
    (['apparmor', 'selinux'] as const)
      .filter((name) => (label.applied?.[name] ?? INHERITED) !== INHERITED)
      .map((name) => ({ pid, file: LABEL_FILES[name] })),
  );
  const texts = reader.readFiles(wanted.map(({ pid, file }) => `/proc/${pid}/${file}`));
  const files = new Map<number, Map<string, string | undefined>>();
  wanted.forEach(({ pid, file }, i) => {
    const text = texts[i];
    const own = files.get(pid) ?? new Map<string, string | undefined>();
    files.set(pid, own.set(file, typeof text === 'string' ? text : undefined));
  });
  return files;
}

/** What the kernel shows of it. A process that was given no label has what the policy makes of it. */
export function liveConfine(
  files: ReadonlyMap<string, string | undefined>,
  label: Label,
  core: string | number | undefined,
  supervisorCore: () => string | number | undefined,
): Record<string, Value> {
  const live: Record<string, Value> = {};
  // Not a copy with the defaults: what was applied is a hundred attributes of each container.
  const applied = (name: 'apparmor' | 'selinux'): Value | undefined => label.applied?.[name] ?? CONFINE_DEFAULTS[name];
  const profile = files.get(LABEL_FILES.apparmor);
  if (applied('apparmor') !== INHERITED && profile !== undefined) {
    live['apparmor'] = profileParts(profile).profile;
  }
  const context = files.get(LABEL_FILES.selinux);
  if (applied('selinux') !== INHERITED && context !== undefined) {
    live['selinux'] = context.replace(/\0$/, '').trim();
  }
  if (typeof core === 'string') {
    live['core_sched'] = core === '0' || core === supervisorCore() ? 'shared' : 'own';
  }
  return live;
}
