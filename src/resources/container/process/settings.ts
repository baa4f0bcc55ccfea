/**
 * What the kernel lets others set on a running process: limits, oom score, scheduling. All of it changes in place.
 *
 * What is compared is the container's own process (for what each thread has its own of, the first thread).
 */
import { TsboxError } from '../../../errors.ts';
import {
  CAP_SYS_NICE,
  CAP_SYS_RESOURCE,
  hasCapability,
  type KernelReader,
  type Scheduling,
} from '../../../kernel/reader.ts';
import { entriesOf, type Attribute, type Value } from '../../attribute.ts';
import type { Problem } from '../../kind.ts';
import type { Label } from '../../label.ts';
import { cpuNumbers, cpuText, type EffectiveCpus } from './affinity.ts';
import { exceeds, halves, parseLimits, RLIMITS, rlimitsSchema } from './rlimits.ts';
import {
  affinitySchema,
  bounded,
  FAIR,
  ioprioLive,
  ioprioNumber,
  ioprioSchema,
  niceSchema,
  schedulerOf,
  schedulerSchema,
  schedulerText,
} from './scheduling.ts';

export const settingsShape = {
  rlimits: rlimitsSchema.optional(),
  oom_score_adj: bounded('a score adjustment', -1000, 1000).optional(),
  nice: niceSchema.optional(),
  scheduler: schedulerSchema.optional(),
  ioprio: ioprioSchema.optional(),
  cpu_affinity: affinitySchema.optional(),
};

/** Canonical values by attribute name. */
export interface Settings {
  /** 'soft:hard' by name, only what the stack says. */
  readonly rlimits: Readonly<Record<string, string>>;
  readonly oom_score_adj: string;
  readonly nice: string;
  readonly scheduler: string;
  readonly ioprio: string;
  readonly cpu_affinity: string;
}

const DEFAULTS: Settings = {
  rlimits: {},
  oom_score_adj: '0',
  nice: '0',
  scheduler: 'other',
  ioprio: 'none',
  cpu_affinity: 'all',
};

export interface SettingsInput {
  readonly rlimits?: Readonly<Record<string, string>> | undefined;
  readonly oom_score_adj?: number | undefined;
  readonly nice?: string | undefined;
  readonly scheduler?: string | undefined;
  readonly ioprio?: string | undefined;
  readonly cpu_affinity?: string | undefined;
}

export function settingsOf(input: SettingsInput): Settings {
  return {
    rlimits: input.rlimits ?? DEFAULTS.rlimits,
    oom_score_adj: String(input.oom_score_adj ?? DEFAULTS.oom_score_adj),
    nice: input.nice ?? DEFAULTS.nice,
    scheduler: input.scheduler ?? DEFAULTS.scheduler,
    ioprio: input.ioprio ?? DEFAULTS.ioprio,
    cpu_affinity: input.cpu_affinity ?? DEFAULTS.cpu_affinity,
  };
}

/** The settings among attributes: those that a label says were applied, or that are declared. */
export function settingsFrom(attributes: Readonly<Record<string, Value>>): Settings {
  const text = (name: Exclude<keyof Settings, 'rlimits'>): string => {
    const value = attributes[name];
    return typeof value === 'string' ? value : DEFAULTS[name];
  };
  return {
    rlimits: entriesOf(attributes['rlimits']),
    oom_score_adj: text('oom_score_adj'),
    nice: text('nice'),
    scheduler: text('scheduler'),
    ioprio: text('ioprio'),
    cpu_affinity: text('cpu_affinity'),
  };
}

function row(name: keyof Settings, doc: string, source: string): Attribute {
  return { name, change: 'in-place', observed: 'live', quiet: true, default: DEFAULTS[name], doc, source };
}

export const SETTINGS_ATTRIBUTES: readonly Attribute[] = [
  row('rlimits', 'limits of its process, soft:hard; one that is not given is what it was started with', 'getrlimit(2)'),
  row('oom_score_adj', 'how much sooner the kernel kills it when memory is short', 'proc_pid_oom_score_adj(5)'),
  row('nice', 'its share of a processor against others in its cgroup', 'nice(2)'),
  row('scheduler', 'scheduling policy', 'sched(7)'),
  row('ioprio', 'class and level of its disk accesses', 'ioprio_set(2)'),
  row('cpu_affinity', 'processors it may run on, within its cpuset', 'sched_setaffinity(2)'),
];

export const SETTING_NAMES: readonly string[] = SETTINGS_ATTRIBUTES.map((a) => a.name);

/** Tells what this machine or these privileges cannot do of it. */
export function checkSettings(
  settings: Settings,
  reader: KernelReader,
  address: string,
  report: (problem: Problem) => void,
  locate: (field: string) => Problem['error']['info']['at'],
): void {
  const error = (field: string, message: string, hint: string): void =>
    report({
      severity: 'error',
      error: new TsboxError('TSB1009', `${address}: ${message}`, { at: locate(field), address, hint }),
    });
  // Only what is asked for is looked up: this is done for every container of every plan.
  const wanted = Object.entries(settings.rlimits);
  const looks = wanted.length > 0 || settings.cpu_affinity !== 'all';
  const [limits, online] = looks ? reader.readFiles(['/proc/self/limits', ONLINE]) : [];
  if (!hasCapability(reader, CAP_SYS_RESOURCE)) {
    const score = ownScore(reader);
    const own = parseLimits(typeof limits === 'string' ? limits : '');
    for (const [name, pair] of wanted) {
      const most = halves(own[name] ?? pair).hard;
      if (exceeds(halves(pair).hard, most)) {
        error(
          'rlimits',
          `the hard limit of ${name} is ${most} here, and raising it needs CAP_SYS_RESOURCE`,
          `at most ${most}`,
        );
      }
    }
    if (score !== undefined && Number(settings.oom_score_adj) < Number(score)) {
      error('oom_score_adj', `oom_score_adj is ${score} here, and lowering it needs CAP_SYS_RESOURCE`, 'a higher one');
    }
  }
  const first = settings.scheduler.split(' ')[0] ?? '';
  const urgent = !FAIR.includes(first) || Number(settings.nice) < 0 || settings.ioprio.startsWith('rt');
  if (urgent && !hasCapability(reader, CAP_SYS_NICE)) {
    const field = !FAIR.includes(first) ? 'scheduler' : Number(settings.nice) < 0 ? 'nice' : 'ioprio';
    error(field, `${field} above the ordinary needs CAP_SYS_NICE`, 'run tsbox with that capability');
  }
  if (settings.nice !== '0' && !FAIR.includes(first)) {
    error('nice', `the scheduling policy ${first} has no nice value`, 'leave nice out, or take other, batch or idle');
  }
  if (settings.cpu_affinity !== 'all' && typeof online === 'string') {
    const there = new Set(cpuNumbers(online));
    if (!cpuNumbers(settings.cpu_affinity).some((cpu) => there.has(cpu))) {
      error('cpu_affinity', `none of the processors ${settings.cpu_affinity} is online`, `online: ${online.trim()}`);
    }
  }
}

const ONLINE = '/sys/devices/system/cpu/online';

const ownScores = new WeakMap<KernelReader, string | undefined>();

/** Our own score, which stays what it was when we were started. */
function ownScore(reader: KernelReader): string | undefined {
  if (!ownScores.has(reader)) {
    const [text] = reader.readFiles(['/proc/self/oom_score_adj']);
    ownScores.set(reader, typeof text === 'string' ? text.trim() : undefined);
  }
  return ownScores.get(reader);
}

/**
 * The settings as native/init/settings.c reads them: 'rlimit.nofile=7:1024:4096 oom=-5 sched=0:0:20:0:0:0:0 ioprio=0
 * cpus=0-1', nice counted from -20. What is the default and the caller's own already is left out.
 * @param own the scheduling of the caller, which the process would inherit
 */
export function settingsText(settings: Settings, own: Scheduling | undefined, ownScore: string): string {
  const words = Object.entries(settings.rlimits).map(([name, pair]) => {
    const { soft, hard } = halves(pair);
    const number = (text: string): string => (text === 'unlimited' ? '18446744073709551615' : text);
    return `rlimit.${name}=${RLIMITS[name]?.number}:${number(soft)}:${number(hard)}`;
  });
  if (settings.oom_score_adj !== ownScore) {
    words.push(`oom=${settings.oom_score_adj}`);
  }
  const s = schedulerOf(settings.scheduler, settings.nice);
  if (own === undefined || schedulerText(own) !== settings.scheduler || own.nice !== s.nice) {
    words.push(`sched=${[s.policy, s.flags, s.nice + 20, s.priority, s.runtime, s.deadline, s.period].join(':')}`);
  }
  const ioprio = ioprioNumber(settings.ioprio);
  if (own?.ioprio !== ioprio) {
    words.push(`ioprio=${ioprio}`);
  }
  if (settings.cpu_affinity !== 'all') {
    words.push(`cpus=${settings.cpu_affinity}`);
  }
  return words.join(' ');
}

/** Files of /proc/PID that liveSettings wants. */
export const SETTINGS_FILES = ['limits', 'oom_score_adj'] as const;

/** The settings a process has. */
export function liveSettings(
  files: ReadonlyMap<string, string | undefined>,
  scheduling: Scheduling | undefined,
  cpus: EffectiveCpus,
  label: Label,
  desired: Readonly<Record<string, Value>> | undefined,
): Record<string, Value> {
  const live: Record<string, Value> = {};
  const score = files.get('oom_score_adj');
  if (score !== undefined) {
    live['oom_score_adj'] = score.trim();
  }
  const limits = files.get('limits');
  if (limits !== undefined) {
    live['rlimits'] = liveLimits(parseLimits(limits), label, desired?.['rlimits']);
  }
  if (scheduling !== undefined) {
    const policy = schedulerText(scheduling);
    live['scheduler'] = policy;
    live['nice'] = String(scheduling.nice);
    live['ioprio'] = ioprioLive(scheduling.ioprio, scheduling.nice, label.applied?.['ioprio']);
    live['cpu_affinity'] = liveAffinity(scheduling.cpus, cpus, label.applied?.['cpu_affinity']);
  }
  return live;
}

/**
 * Limits that are or were declared; of the others those whose hard limit is above what the process was started with,
 * which it cannot have done itself without the privilege. A soft limit that a program raised up to the hard one (Go,
 * Node and Java do so with nofile) is what was declared.
 */
function liveLimits(
  found: Readonly<Record<string, string>>,
  label: Label,
  declared: Value | undefined,
): Record<string, string> {
  const applied = entriesOf(label.applied?.['rlimits']);
  const wanted = entriesOf(declared);
  const result: Record<string, string> = {};
  for (const [name, pair] of Object.entries(found)) {
    const { soft, hard } = halves(pair);
    const before = applied[name];
    const inherited = label.inherited?.[name];
    if (before !== undefined || wanted[name] !== undefined) {
      const raised = before !== undefined && hard === halves(before).hard && soft === hard;
      const dropped = wanted[name] === undefined && (inherited === undefined || pair === inherited);
      if (!dropped) {
        result[name] = raised ? before : pair;
      }
    } else if (inherited !== undefined && exceeds(hard, halves(inherited).hard)) {
      result[name] = pair;
    }
  }
  return result;
}

/** The declared text while the kernel made of it what it makes of it within this cpuset, else the list. */
function liveAffinity(found: readonly number[], cpus: EffectiveCpus, applied: Value | undefined): string {
  const live = cpuText(found);
  const wanted = typeof applied === 'string' ? applied : 'all';
  // More than the cpuset allows: the process is outside of it, which its placement tells.
  const unbound = wanted === 'all' && cpuNumbers(cpus.within('all')).every((cpu) => found.includes(cpu));
  return unbound || live === cpus.within(wanted) ? wanted : live;
}
