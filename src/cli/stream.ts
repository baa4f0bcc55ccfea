/** Where the event stream of a command goes: to stdout in place of the text, into a file beside it, or to both. */
import { closeSync, constants, fchmodSync, fstatSync, ftruncateSync, openSync, writeFileSync } from 'node:fs';
import { TsboxError, whyOf } from '../errors.ts';
import type { Planned } from '../planner/index.ts';
import type { Stack } from '../stack/types.ts';
import type { Arguments } from './args.ts';
import { err, masked, out, printError } from './output.ts';

let onStdout = false;
let file: { readonly fd: number; readonly path: string } | undefined;

/** Whether the command is asked for its events. */
export function wantsStream({ flags, values }: Arguments): boolean {
  return flags.json === true || values.format === 'stream' || values['json-into'] !== undefined;
}

/** @throws TsboxError TSB1001 when the file of --json-into cannot be written */
export function openStream({ flags, values }: Arguments): void {
  onStdout = flags.json === true || values.format === 'stream';
  const path = values['json-into'];
  file = path === undefined ? undefined : { fd: opened(path), path };
}

/** Whether anybody reads the events. */
export function isStreaming(): boolean {
  return onStdout || file !== undefined;
}

/** Whether stdout is theirs, and has no text. */
export function streamsOnly(): boolean {
  return onStdout;
}

/** Writes whole lines, without secrets. A file that cannot be written any more holds up nothing: it is told once. */
export function emit(lines: string): void {
  if (onStdout) {
    out(lines);
  }
  if (file === undefined) {
    return;
  }
  try {
    writeFileSync(file.fd, masked(lines));
  } catch (error) {
    err(`warning: cannot write '${file.path}' (${whyOf(error)}): the events end here\n`);
    closeSync(file.fd);
    file = undefined;
  }
}

/** The events of a plan, with which every stream begins. */
export async function emitPlan(
  planned: Planned,
  stack: Stack | undefined,
  of: { readonly destroy: boolean; readonly bootId: string },
): Promise<void> {
  if (isStreaming()) {
    const { documented } = await import('./documented.ts');
    const { streamBegun } = await import('./diagnostic-lines.ts');
    const { renderPlanJson } = await import('../report/plan-json.ts');
    streamBegun(planned.plan.origins);
    emit(renderPlanJson(documented(planned, stack, of)));
  }
}

/** An error that ends no command: for people on stderr, and as an event. */
export async function tellError(error: TsboxError): Promise<void> {
  if (isStreaming()) {
    const { diagnosticLine } = await import('./diagnostic-lines.ts');
    emit(`${diagnosticLine(error)}\n`);
  }
  await printError(error);
}

/** What was there is emptied; links are not followed, and what others own is not taken. */
function opened(path: string): number {
  const { O_WRONLY, O_CREAT, O_NOFOLLOW } = constants;
  try {
    const fd = openSync(path, O_WRONLY | O_CREAT | O_NOFOLLOW, 0o600);
    const found = fstatSync(fd);
    if (found.isFile()) {
      if (found.uid !== process.geteuid?.()) {
        closeSync(fd);
        throw new TsboxError('TSB1001', `cannot write '${path}': it belongs to user ${found.uid}`, { subject: path });
      }
      fchmodSync(fd, 0o600);
      ftruncateSync(fd);
    }
    return fd;
  } catch (error) {
    if (error instanceof TsboxError) {
      throw error;
    }
    const code = whyOf(error);
    throw new TsboxError('TSB1001', `cannot write '${path}': ${code}`, {
      errnoCode: code,
      subject: path,
      cause: error,
      ...(code === 'ELOOP' ? { hint: 'it is a symbolic link, which is not followed' } : {}),
    });
  }
}
