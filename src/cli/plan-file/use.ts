/** A plan is used once: its id is kept until the machine starts anew, when every plan of before is stale anyway. */
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, TsboxError } from '../../errors.ts';
import { AGAIN } from './document.ts';

function directory(stateDir: string): string {
  return join(stateDir, 'plans-used');
}

/** When it was applied; undefined when it was not. */
export function usedAt(stateDir: string, id: string): string | undefined {
  try {
    return readFileSync(join(directory(stateDir), id), 'utf8')
      .trim()
      .split(' ')[1];
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') {
      return undefined;
    }
    throw error;
  }
}

export function alreadyUsed(path: string, when: string | undefined): TsboxError {
  return new TsboxError(
    'TSB3006',
    `${path} was applied already${when === undefined ? '' : ` (${when})`}: a plan is applied once`,
    {
      hint: AGAIN,
    },
  );
}

/** Takes a plan for this apply; of two at once one gets it. */
export function takePlan(path: string, stateDir: string, id: string, bootId: string): void {
  const where = directory(stateDir);
  mkdirSync(where, { recursive: true, mode: 0o700 });
  let fd: number;
  try {
    fd = openSync(join(where, id), 'wx', 0o600);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') {
      throw alreadyUsed(path, usedAt(stateDir, id));
    }
    throw error;
  }
  writeSync(fd, `${bootId} ${new Date().toISOString()}\n`);
  fsyncSync(fd);
  closeSync(fd);
  for (const name of readdirSync(where).filter((n) => n !== id)) {
    const boot = bootOf(join(where, name));
    // One that is empty is being taken at this moment.
    if (boot !== undefined && boot !== '' && boot !== bootId) {
      rmSync(join(where, name), { force: true });
    }
  }
}

/** On which boot a plan was taken; '' not told yet, undefined when another apply has removed the note. */
function bootOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').split(' ')[0];
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') {
      return undefined;
    }
    throw error;
  }
}
