/** Telling a running supervisor: by what is written where it reads, and SIGHUP. */
import { TsboxError } from '../../errors.ts';
import { encodeInitSpec } from '../../kernel/init-encode.ts';
import type { SuperviseSpec } from '../../kernel/init-spec.ts';
import { stackRunDir, type ExecutionContext } from '../context.ts';
import { readRun } from '../run-state.ts';

const SIGHUP = 1;

/** Where a changed description for a container's supervisor is put. */
export function mailboxPath(context: ExecutionContext, runName: string): string {
  return `${stackRunDir(context)}/mailbox/${runName}`;
}

/** Makes the supervisor of a container read its settings anew; false when there is none. */
export function tellSupervisor(context: ExecutionContext, path: string): boolean {
  const { kernel } = context;
  const run = readRun(context, path);
  const supervisor =
    run === undefined || run.supervisor === 0 ? undefined : kernel.openProcess(run.supervisor, run.supervisorStartTime);
  if (supervisor === undefined) {
    return false;
  }
  const told = kernel.signal(supervisor, SIGHUP);
  kernel.close(supervisor);
  return told;
}

/** How long a supervisor may take to accept a description, ms; it may be in the middle of a start. */
const TIMEOUT = 10_000;

/**
 * Hands a description to the running supervisor and waits until it has taken it. Without a supervisor nothing is done:
 * the one that is put back gets a description anyway.
 * @throws TsboxError TSB3002 when it does not take it
 */
export async function deliver(
  context: ExecutionContext,
  name: string,
  path: string,
  spec: SuperviseSpec,
): Promise<void> {
  const { kernel } = context;
  if (spec.root.some((op) => op.op === 'file')) {
    return handOver(context, path, spec);
  }
  const mailbox = mailboxPath(context, path.slice(path.lastIndexOf('/') + 1));
  kernel.makeRunDir(mailboxPath(context, ''));
  kernel.placeFile(mailbox, encodeInitSpec(spec));
  if (!tellSupervisor(context, path)) {
    kernel.remove(mailbox);
    return;
  }
  for (const deadline = Date.now() + TIMEOUT; typeof kernel.stats([mailbox])[0] === 'object';) {
    if (Date.now() > deadline) {
      kernel.remove(mailbox);
      throw new TsboxError('TSB3002', `the supervisor of container/${name} does not take its changed description`, {
        subject: mailbox,
        hint: 'one of another version of tsbox may not know what it says: a restart of the container replaces it',
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** The contents of secrets pass through no file: see native/init/update.h. */
async function handOver(context: ExecutionContext, path: string, spec: SuperviseSpec): Promise<void> {
  const { kernel } = context;
  const run = readRun(context, path);
  const fd =
    run === undefined || run.supervisor === 0 ? undefined : kernel.openProcess(run.supervisor, run.supervisorStartTime);
  if (run === undefined || fd === undefined) {
    return;
  }
  try {
    await kernel.describe(run.supervisor, fd, encodeInitSpec(spec), TIMEOUT);
  } finally {
    kernel.close(fd);
  }
}
