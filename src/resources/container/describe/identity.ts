/** What a running process was started with, and the privileges it has, as a stack says them. */
import { CAPABILITIES } from '../capabilities.ts';
import { profileParts } from '../process/confine.ts';
import { afterExec, capabilityNames, givenSets, INNER_SETS } from '../process/sets.ts';
import { personalityText, START_DEFAULTS } from '../process/start.ts';
import type { Capability } from '../capabilities.ts';
import { insideId, labelText, type ProcessFacts, type Tell } from './facts.ts';

/** Variables whose values are for nobody who reads a stack file. */
const SECRET =
  /PASS(WORD|WD|PHRASE)?(_|$)|SECRET|TOKEN|CREDENTIAL|(^|_)(API|ACCESS|PRIVATE|AUTH|ENCRYPTION)_?KEY|(^|_)KEY$|COOKIE|DSN$/i;

export function isSecretName(name: string): boolean {
  return SECRET.test(name);
}

export function describeIdentity(facts: ProcessFacts, tell: Tell): Record<string, unknown> {
  return {
    ...program(facts, tell),
    ...environment(facts, tell),
    ...account(facts, tell),
    ...privileges(facts, tell),
    ...started(facts, tell),
  };
}

function program(facts: ProcessFacts, tell: Tell): Record<string, unknown> {
  const argv = (facts.text('cmdline') ?? '').split('\0').slice(0, -1);
  const exe = facts.link('exe');
  const [first = ''] = argv;
  const fields: Record<string, unknown> = {};
  if (first === '' || first.startsWith('-')) {
    fields['command'] = [exe ?? first, ...argv.slice(1)];
    tell('command', `its first argument is '${first}', and here it is the program itself`);
  } else if (argv.length === 1 && / /.test(first)) {
    fields['command'] = [exe ?? first];
    tell('command', 'a title was written over its arguments, which cannot be told');
  } else {
    fields['command'] = argv;
  }
  if (exe?.endsWith(' (deleted)') === true) {
    tell('command', `the program it runs, ${exe.slice(0, -' (deleted)'.length)}, was removed or replaced since`);
  }
  const root = facts.link('root') ?? '/';
  const cwd = facts.link('cwd');
  if (cwd === undefined) {
    tell('working_dir', 'cannot be read');
  } else {
    const inside = root !== '/' && (cwd === root || cwd.startsWith(`${root}/`)) ? cwd.slice(root.length) || '/' : cwd;
    if (inside.endsWith(' (deleted)')) {
      tell('working_dir', `${inside} is gone`);
    } else if (inside !== '/') {
      fields['working_dir'] = inside;
    }
  }
  return fields;
}

function environment(facts: ProcessFacts, tell: Tell): Record<string, unknown> {
  const text = facts.text('environ');
  if (text === undefined) {
    tell('env', 'cannot be read');
    return {};
  }
  const env: Record<string, string> = {};
  for (const line of text.split('\0')) {
    const at = line.indexOf('=');
    const name = line.slice(0, at);
    if (at < 1) {
      continue;
    }
    if (!/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(name)) {
      tell(`env.${name}`, 'is left out: the language has no such names');
    } else if (isSecretName(name)) {
      tell(
        `env.${name}`,
        `is left out, because it may be a secret: declare a sensitive variable and write \${${name}}`,
      );
    } else {
      env[name] = line.slice(at + 1);
    }
  }
  if (env['PATH'] === undefined) {
    tell('env.PATH', 'it has none; a container always has one');
  }
  return Object.keys(env).length === 0 ? {} : { env };
}

function account(facts: ProcessFacts, tell: Tell): Record<string, unknown> {
  const one = (key: 'Uid' | 'Gid', map: 'uid_map' | 'gid_map'): number => {
    const ids = (facts.status.get(key) ?? '').split(/\s+/);
    if (new Set(ids).size > 1) {
      tell(
        'user',
        `its real, effective, saved and file system ${key.toLowerCase()} differ (${ids.join(', ')}): the effective one is taken`,
      );
    }
    const inside = insideId(facts.text(map), ids[1] ?? '');
    if (inside === undefined) {
      tell('user', `${key.toLowerCase()} ${ids[1]} has no number in its user namespace: 0 is taken`);
    }
    return inside ?? 0;
  };
  const user = one('Uid', 'uid_map');
  const group = one('Gid', 'gid_map');
  const listed = (facts.status.get('Groups') ?? '').split(/\s+/).filter((g) => g !== '');
  const groups = listed.map((g) => insideId(facts.text('gid_map'), g));
  const known = groups.filter((g): g is number => g !== undefined);
  if (known.length < groups.length) {
    tell('user.groups', 'some have no number in its user namespace');
  }
  if (user === 0 && group === 0 && known.length === 0) {
    return {};
  }
  return { user: known.length === 0 ? `${user}:${group}` : { user, group, groups: known } };
}

const STATUS = { bounding: 'CapBnd', permitted: 'CapPrm', effective: 'CapEff', inheritable: 'CapInh', ambient: 'CapAmb' } as const; // prettier-ignore
type SetName = keyof typeof STATUS;

function privileges(facts: ProcessFacts, tell: Tell): Record<string, unknown> {
  const mask = (set: SetName): bigint => BigInt(`0x${facts.status.get(STATUS[set]) ?? '0'}`);
  const uid = insideId(facts.text('uid_map'), (facts.status.get('Uid') ?? '').split(/\s+/)[1] ?? '') ?? 0;
  const known = (1n << BigInt(CAPABILITIES.length)) - 1n;
  const names = (set: SetName): readonly Capability[] => capabilityNames(mask(set) & known) as readonly Capability[];
  const bounding = names('bounding');
  const fields: Record<string, unknown> = {};
  const gives = (given: Partial<Record<(typeof INNER_SETS)[number], readonly Capability[]>>): boolean => {
    const sets = afterExec(givenSets({ bounding, given }, uid), uid);
    return INNER_SETS.every((set) => sets[set] === (mask(set) & known));
  };
  if (bounding.length > 0 || !gives({})) {
    if (gives({})) {
      fields['capabilities'] = bounding;
    } else {
      const given = Object.fromEntries(INNER_SETS.map((set) => [set, names(set)]));
      // What lies outside of its bounding set was kept from before, and no new process is given that.
      const inner = INNER_SETS.map((set) => [set, names(set).filter((c) => bounding.includes(c))] as const);
      fields['capabilities'] = { bounding, ...Object.fromEntries(inner) };
      if (!gives(given)) {
        tell(
          'capabilities',
          'it gave some up, or kept some, since its program was started: a copy starts with what an exec makes of these sets',
        );
      }
    }
  }
  if (facts.status.get('NoNewPrivs') === '0') {
    fields['no_new_privs'] = false;
  }
  const mode = facts.status.get('Seccomp');
  const count = facts.status.get('Seccomp_filters') ?? 'some';
  if (mode === '0') {
    fields['seccomp'] = 'unconfined';
  } else if (mode === '1') {
    tell('seccomp', 'it is in strict mode, which a program can only ask for itself: the default profile stands for it');
  } else {
    tell(
      'seccomp',
      `${count} filter${count === '1' ? '' : 's'} cannot be read back: the default profile stands for ${count === '1' ? 'it' : 'them'}`,
    );
  }
  const label = labelText(facts.text('attr/current'));
  const apparmor = profileParts(label);
  if (apparmor.mode !== '' && apparmor.mode !== 'unconfined') {
    fields['apparmor'] = apparmor.profile;
  } else if (label !== facts.hostLabel && label.split(':').length > 2) {
    // user:role:type, and a level where the policy has them: SELinux's, and no other module's.
    fields['selinux'] = label;
  } else if (label !== '' && label !== 'unconfined' && label !== facts.hostLabel) {
    tell('selinux', `it runs under ${label}`);
  }
  return fields;
}

function started(facts: ProcessFacts, tell: Tell): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  const umask = facts.status.get('Umask');
  if (umask === undefined) {
    tell('umask', 'cannot be told');
  } else if (umask.padStart(4, '0') !== START_DEFAULTS.umask) {
    fields['umask'] = umask.padStart(4, '0');
  }
  const hex = facts.text('personality');
  const text = hex === undefined ? START_DEFAULTS.personality : personalityText(hex);
  if (text !== START_DEFAULTS.personality) {
    const [domain = '', ...flags] = text.split(' ');
    fields['personality'] = flags.length === 0 ? domain : { domain, flags };
  }
  const terminal = ttyOf(facts.text('stat') ?? '');
  if (terminal !== 0) {
    tell('tty', 'it has a terminal: tty: true gives a copy one of its own');
  }
  return fields;
}

/** tty_nr, field 7 of proc_pid_stat(5). */
function ttyOf(stat: string): number {
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[4] ?? 0);
}
