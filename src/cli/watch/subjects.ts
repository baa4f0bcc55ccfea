/** The stacks that are watched: those of the files, and with --all every other one by the records on its objects. */
import { TsboxError } from '../../errors.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import type { Arguments } from '../args.ts';
import { stackNames } from '../containers.ts';
import type { Subject } from '../drift/report.ts';
import { loadStackFor } from '../session.ts';

export const nameOf = (subject: Subject): string => ('stack' in subject ? subject.stack.name : subject.name);

/** Reads the files: with --all each is a stack of its own, otherwise all are one. */
export async function declaredSubjects(args: Arguments): Promise<Subject[]> {
  const lists = args.flags.all === true ? (args.lists.file ?? []).map((f) => [f]) : [args.files];
  const subjects: Subject[] = [];
  for (const files of lists) {
    const stack = await loadStackFor({ ...args, files });
    if (subjects.some((s) => nameOf(s) === stack.name)) {
      throw new TsboxError('TSB2001', `stack ${stack.name} is given twice`);
    }
    subjects.push({ stack, files, targets: [] });
  }
  return subjects;
}

/** The same with the stacks that are here now and have no file. */
export function withRecorded(kernel: Kernel, declared: readonly Subject[], all: boolean): Subject[] {
  const known = new Set(declared.map(nameOf));
  const here = all ? stackNames(kernel).filter((n) => !n.startsWith('_') && !known.has(n)) : [];
  return [...declared, ...here.sort().map((name) => ({ name }))];
}
