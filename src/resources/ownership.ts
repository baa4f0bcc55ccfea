/** Whose an object is: its label names its own inode, a stack, and the installation of tsbox that made it. */
import { TsboxError, type SourceSpan } from '../errors.ts';
import { decodeLabel, type Label } from './label.ts';

export interface Owner {
  readonly stack: string;
  readonly installation: string;
}

/** The label that stands on the object with this inode; one that was copied there from another is none. */
export function labelOn(text: string | number | undefined, ino: number): Label | undefined {
  const label = typeof text === 'string' ? decodeLabel(text) : undefined;
  return label?.ino === ino ? label : undefined;
}

/** Whether the label is that of an object of the owner. One that names no installation is everybody's. */
export function belongsTo(label: Label, owner: Owner): boolean {
  return label.stack === owner.stack && isOfInstallation(label, owner.installation);
}

export function isOfInstallation(label: Label, installation: string): boolean {
  return (label.installation ?? installation) === installation;
}

/** 'stack demo (cgroup/a)', with the installation where it is not ours. */
export function ownerText(label: Label, installation: string): string {
  const other = isOfInstallation(label, installation) ? '' : ` of installation ${label.installation ?? ''}`;
  return `stack ${label.stack}${other} (${label.address})`;
}

/** That an object in our way is another's: both are named. */
export function belongsToAnother(
  { stack, installation }: Owner,
  what: string,
  label: Label,
  at?: SourceSpan,
): TsboxError {
  const isOther = !isOfInstallation(label, installation);
  const own = `stack ${stack}${isOther ? ` of installation ${installation}` : ''}`;
  return new TsboxError('TSB3007', `${what} belongs to ${ownerText(label, installation)}, not to ${own}`, {
    at,
    hint: isOther
      ? `use another TSBOX_CGROUP_ROOT; if both are the same, TSBOX_INSTALLATION=${label.installation ?? ''} says so`
      : 'one stack has to give it back first',
  });
}
