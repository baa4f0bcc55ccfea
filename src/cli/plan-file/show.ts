/** `show PLANFILE`. */
import { closeSync, openSync, readSync } from 'node:fs';
import { resolve } from 'node:path';
import { errnoOf } from '../../errors.ts';
import { settingsFrom } from '../../kernel/settings.ts';
import type { Arguments } from '../args.ts';
import { EXIT } from '../exit.ts';
import { err, out, paletteFor } from '../output.ts';
import { renderOptions } from '../planning.ts';
import { printWarnings } from '../session.ts';
import { PLAN_FORMAT, readPlanFile } from './document.ts';
import { planKey, type PlanKey } from './key.ts';
import { usedAt } from './use.ts';

/** Characters in which a saved plan says what it is. */
const HEAD = 200;

/** Whether a path names a saved plan: an address never does. */
export function isPlanFile(path: string): boolean {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    return false;
  }
  try {
    const head = Buffer.alloc(HEAD);
    return head.toString('utf8', 0, readSync(fd, head)).includes(`"${PLAN_FORMAT}"`);
  } catch {
    // A directory, say.
    return false;
  } finally {
    closeSync(fd);
  }
}

export async function showPlanFile(path: string, args: Arguments): Promise<number> {
  const { stateDir } = settingsFrom(process.env);
  const key = readableKey(stateDir);
  const file = readPlanFile(resolve(path), key);
  if (args.flags.json === true) {
    out(`${JSON.stringify(file.document, null, 2)}\n`);
    return EXIT.ok;
  }
  const { renderPlan } = await import('../../report/plan-text.ts');
  printWarnings(file.plan.warnings, args);
  out(await renderPlan(file.plan, await paletteFor(args), renderOptions(args)));
  if (args.flags.quiet !== true) {
    const used = key === undefined ? undefined : usedAt(stateDir, file.id);
    err(
      `Plan ${file.id} of stack ${file.stack}, made ${file.created} from ${file.files.join(', ') || 'what exists'}.\n`,
    );
    err(used === undefined ? '' : `It was applied ${used}.\n`);
    err(key === undefined ? 'Its mark was not looked at: the key of this machine cannot be read.\n' : '');
  }
  return EXIT.ok;
}

/** The key, where there is one and we may read it. */
function readableKey(stateDir: string): PlanKey | undefined {
  try {
    return planKey(stateDir, false);
  } catch (error) {
    if (errnoOf(error) === 'EACCES') {
      return undefined;
    }
    throw error;
  }
}
