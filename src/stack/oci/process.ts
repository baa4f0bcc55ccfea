/** `process` of a bundle. */
import { CAPABILITIES } from '../../resources/container/capabilities.ts';
import type { Fields } from './fields.ts';

type Out = Record<string, unknown>;

export function convertProcess(process: Fields, out: Out): void {
  const args = process.strings('args') ?? [];
  if (args.length === 0) {
    process.note('args', 'is empty: a container of a stack has a command');
  }
  out['command'] = args;
  convertEnv(process, out);
  const cwd = process.string('cwd') ?? '/';
  if (cwd !== '/') {
    out['working_dir'] = cwd;
  }
  convertUser(process, out);
  convertCapabilities(process, out);
  convertLimits(process, out);
  out['no_new_privs'] = process.boolean('noNewPrivileges') ?? false;
  const score = process.number('oomScoreAdj');
  if (score !== undefined && score !== 0) {
    out['oom_score_adj'] = score;
  }
  convertScheduling(process, out);
  const labels = { apparmorProfile: 'apparmor', selinuxLabel: 'selinux' } as const;
  for (const [field, key] of Object.entries(labels)) {
    const label = process.string(field);
    if (label !== undefined && label !== '') {
      out[key] = label;
    }
  }
  if (process.boolean('terminal') === true) {
    out['tty'] = true;
  }
  if (process.take('consoleSize') !== undefined) {
    process.note('consoleSize', 'a terminal has the size of the one that attaches to it');
  }
  if (process.take('execCPUAffinity') !== undefined) {
    process.note(
      'execCPUAffinity',
      'is about processes added to the container later; tsbox exec starts them where the container may run',
    );
  }
  if (process.take('commandLine') !== undefined) {
    process.note('commandLine', 'is of Windows');
  }
  process.finish();
}

function convertEnv(process: Fields, out: Out): void {
  const env: Record<string, string> = {};
  for (const item of process.strings('env') ?? []) {
    const equals = item.indexOf('=');
    if (equals < 1) {
      process.note('env', `'${item}' is not NAME=VALUE`);
      continue;
    }
    // '$' begins an interpolation in the stack language.
    env[item.slice(0, equals)] = item.slice(equals + 1);
  }
  if (env['PATH'] === undefined) {
    process.note('env', 'has no PATH: the container is given the usual one');
  }
  if (Object.keys(env).length > 0) {
    out['env'] = env;
  }
}

function convertUser(process: Fields, out: Out): void {
  const user = process.object('user');
  if (user === undefined) {
    return;
  }
  const uid = user.number('uid') ?? 0;
  const gid = user.number('gid') ?? 0;
  const groups = user.numbers('additionalGids') ?? [];
  if (groups.length > 0) {
    out['user'] = { user: uid, group: gid, groups };
  } else if (uid !== 0 || gid !== 0) {
    out['user'] = `${uid}:${gid}`;
  }
  const umask = user.number('umask');
  if (umask !== undefined) {
    out['umask'] = `0${umask.toString(8).padStart(3, '0')}`;
  }
  if (user.take('username') !== undefined) {
    user.note('username', 'is of Windows');
  }
  user.finish();
}

const SETS = ['bounding', 'effective', 'permitted', 'inheritable', 'ambient'] as const;

/** A list where that says the same: three sets alike and, for a user other than root, the other two as well. */
function convertCapabilities(process: Fields, out: Out): void {
  const given = process.object('capabilities');
  if (given === undefined) {
    return;
  }
  const known = new Set<string>(CAPABILITIES);
  const sets = Object.fromEntries(
    SETS.map((name) => {
      const words = [...new Set((given.strings(name) ?? []).map((c) => c.replace(/^CAP_/, '')))].sort();
      for (const word of words.filter((w) => !known.has(w))) {
        given.note(name, `CAP_${word} is no capability of this kernel's`);
      }
      return [name, words.filter((w) => known.has(w))];
    }),
  ) as Record<(typeof SETS)[number], string[]>;
  given.finish();
  const same = (a: readonly string[], b: readonly string[]): boolean => a.join() === b.join();
  const root =
    out['user'] === undefined ||
    (typeof out['user'] === 'object' && (out['user'] as { user: number }).user === 0) ||
    /^0:/.test(String(out['user']));
  const rest = root ? [] : sets.bounding;
  const plain =
    same(sets.bounding, sets.effective) &&
    same(sets.bounding, sets.permitted) &&
    same(sets.inheritable, rest) &&
    same(sets.ambient, rest);
  if (!plain) {
    out['capabilities'] = sets;
  } else if (sets.bounding.length > 0) {
    out['capabilities'] = sets.bounding;
  }
}

const INFINITY = 1n << 63n;

function convertLimits(process: Fields, out: Out): void {
  const rlimits: Record<string, unknown> = {};
  for (const limit of process.objects('rlimits')) {
    const type = (limit.string('type') ?? '').replace(/^RLIMIT_/, '').toLowerCase();
    const unit = type === 'rttime' ? 'us' : '';
    const value = (key: string): number | string => {
      const n = limit.integer(key) ?? 0n;
      return n >= INFINITY ? 'unlimited' : unit === '' ? Number(n) : `${n}${unit}`;
    };
    const soft = value('soft');
    const hard = value('hard');
    rlimits[type] = soft === hard ? soft : { soft, hard };
    limit.finish();
  }
  if (Object.keys(rlimits).length > 0) {
    out['rlimits'] = rlimits;
  }
}

const CLASSES: Readonly<Record<string, string>> = {
  IOPRIO_CLASS_RT: 'realtime',
  IOPRIO_CLASS_BE: 'best-effort',
  IOPRIO_CLASS_IDLE: 'idle',
};

function convertScheduling(process: Fields, out: Out): void {
  const io = process.object('ioPriority');
  if (io !== undefined) {
    const name = CLASSES[io.string('class') ?? ''] ?? 'best-effort';
    const level = io.number('priority') ?? 0;
    out['ioprio'] = name === 'idle' ? { class: name } : { class: name, level };
    io.finish();
  }
  const scheduler = process.object('scheduler');
  if (scheduler === undefined) {
    return;
  }
  const policy = (scheduler.string('policy') ?? '').replace(/^SCHED_/, '').toLowerCase();
  const nice = scheduler.number('nice') ?? 0;
  const priority = scheduler.number('priority') ?? 0;
  const flags = scheduler.strings('flags') ?? [];
  const nanoseconds = (key: string): string | undefined => {
    const n = scheduler.integer(key) ?? 0n;
    return n === 0n ? undefined : `${n / 1000n}us`;
  };
  const value = {
    policy,
    ...(priority === 0 ? {} : { priority }),
    ...defined({ runtime: nanoseconds('runtime'), deadline: nanoseconds('deadline'), period: nanoseconds('period') }),
    ...(flags.includes('SCHED_FLAG_RESET_ON_FORK') ? { reset_on_fork: true } : {}),
  };
  out['scheduler'] = Object.keys(value).length === 1 ? policy : value;
  if (nice !== 0) {
    out['nice'] = nice;
  }
  for (const flag of flags.filter((f) => f !== 'SCHED_FLAG_RESET_ON_FORK')) {
    scheduler.note('flags', `${flag} has no word in the stack language`);
  }
  scheduler.finish();
}

export function defined(values: Readonly<Record<string, unknown>>): Out {
  return Object.fromEntries(Object.entries(values).filter(([, v]) => v !== undefined));
}
