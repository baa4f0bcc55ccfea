/** Device access of a cgroup as text: level by level, then what all of it comes to. */
import type {
  DeviceAccess,
  ExplainedLevel,
  ExplainedList,
  ExplainedProgram,
  Told,
} from '../resources/devices/explain.ts';
import { escapeControls } from './values.ts';

const NOTHING = 'nothing is allowed';

function toldLines(told: Told): string[] {
  if ('unreadable' in told) return [`cannot be read: ${escapeControls(told.unreadable)}`];
  return told.rules.length === 0 ? [NOTHING] : [...told.rules];
}

function programLines(program: ExplainedProgram): string[] {
  const name = program.name === '' ? '(no name)' : escapeControls(program.name);
  const notes = [
    program.attach.length === 0 ? 'attached without flags' : `attached ${program.attach.join('+')}`,
    program.ours === null ? `by unknown, uid ${program.uid}` : `by tsbox for ${escapeControls(program.ours)}`,
    ...(program.instructions === null ? [] : [`${program.instructions} instructions`]),
    ...(program.inForce ? [] : ['not in force here: overridden below']),
  ];
  return [
    `    program ${program.id} ${name}   # ${notes.join('; ')}`,
    ...toldLines(program.told).map((l) => `      ${l}`),
  ];
}

function levelLines(level: ExplainedLevel): string[] {
  const path = level.path === null ? '(above the mount)' : escapeControls(level.path);
  if (level.unreadable !== undefined) return [`  ${path}   # cannot be read: ${level.unreadable}`];
  return [`  ${path}${level.programs.length === 0 ? '   # no program' : ''}`, ...level.programs.flatMap(programLines)];
}

const listLines = (list: ExplainedList): string[] => [
  `  ${escapeControls(list.path)}`,
  ...toldLines(list.told).map((l) => `    ${l}`),
];

/** @param subject what was asked about, in words */
export function devicesText(subject: string, access: DeviceAccess): string {
  const { programs, lists } = access;
  const result = access.effective.length === 0 ? [NOTHING] : access.effective;
  const lines = [
    escapeControls(subject),
    ...(programs === null
      ? []
      : [`device programs below ${escapeControls(programs.mount)}`, ...programs.levels.flatMap(levelLines)]),
    ...(lists === null
      ? []
      : [
          `devices.list below ${escapeControls(lists.mount)}   # the last counts; 'a *:* rwm' hides what devices.deny took out`,
          ...lists.levels.flatMap(listLines),
        ]),
    access.complete ? 'effective' : 'effective: at most, since something in force cannot be read',
    ...result.map((l) => `  ${l}`),
  ];
  return `${lines.join('\n')}\n`;
}
