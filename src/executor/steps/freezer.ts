/** Freezing and thawing, and ending what is below something frozen. */
import { TsboxError } from '../../errors.ts';
import { ENOENT, refused, type Kernel } from '../../kernel/kernel.ts';
import { directoryIn } from '../../resources/scope.ts';
import type { Step } from '../../resources/step.ts';
import { allDirectories, primaryDirectory, type ExecutionContext } from '../context.ts';

type Of<Op extends Step['op']> = Extract<Step, { op: Op }>;

/** How long the kernel may take to confirm a freeze, ms. */
const FREEZE_TIMEOUT = 10_000;

/** Freezes or thaws and waits for the kernel's word: freezing is asynchronous. */
export async function setFrozen(context: ExecutionContext, step: Of<'freeze'>): Promise<void> {
  const { kernel } = context;
  const primary = kernel.layout.primary;
  if (primary?.version === 2) {
    const dir = primaryDirectory(context, step.path);
    kernel.write([{ path: `${dir}/cgroup.freeze`, data: step.frozen ? '1' : '0' }]);
    const v1 = step.frozen
      ? undefined
      : allDirectories(context, step.path).find((d) => d.version === 1 && d.controllers.includes('freezer'));
    if (v1 !== undefined) {
      // Somebody may have frozen it the other way on a hybrid machine.
      const path = `${v1.dir}/freezer.state`;
      const result = kernel.tryWrite(path, 'THAWED');
      // An adopted cgroup need not stand in every hierarchy.
      if (result !== 0 && result !== -ENOENT) {
        throw refused('write', path, result, 'THAWED');
      }
    }
    // Thawing below a frozen ancestor changes nothing yet, so only freezing has something to wait for.
    if (step.frozen && !(await kernel.waitFile(`${dir}/cgroup.events`, 'frozen 1', FREEZE_TIMEOUT))) {
      kernel.write([{ path: `${dir}/cgroup.freeze`, data: '0' }]);
      throw new TsboxError('TSB3008', `${dir} did not freeze within ${FREEZE_TIMEOUT / 1000} s and was thawed again`);
    }
    return;
  }
  const freezer = allDirectories(context, step.path).find((d) => d.controllers.includes('freezer'));
  if (freezer === undefined) {
    return;
  }
  const hold = holdsOf(kernel).get(freezer.dir);
  if (hold !== undefined) {
    // Those who wait for an end below leave it as it is to be: frozen only when the last of them is done.
    hold.refreeze = step.frozen;
    await (step.frozen ? hold.over : undefined);
  }
  kernel.write([{ path: `${freezer.dir}/freezer.state`, data: step.frozen ? 'FROZEN' : 'THAWED' }]);
  if (step.frozen && !(await kernel.waitFile(`${freezer.dir}/freezer.state`, 'FROZEN', FREEZE_TIMEOUT))) {
    kernel.write([{ path: `${freezer.dir}/freezer.state`, data: 'THAWED' }]);
    throw new TsboxError(
      'TSB3008',
      `${freezer.dir} did not freeze within ${FREEZE_TIMEOUT / 1000} s and was thawed again`,
    );
  }
}

/** A v1 cgroup that is thawed while something below it ends. */
interface Hold {
  holders: number;
  /** What becomes of it afterwards; a step of the same apply may have another word in between. */
  refreeze: boolean;
  readonly over: Promise<void>;
  readonly end: () => void;
}

/** By directory. Several ends below one frozen cgroup run side by side: the first thaws it, the last freezes it again. */
const holds = new WeakMap<Kernel, Map<string, Hold>>();

function holdsOf(kernel: Kernel): Map<string, Hold> {
  const own = holds.get(kernel) ?? new Map<string, Hold>();
  holds.set(kernel, own);
  return own;
}

/**
 * Runs `body` with the frozen v1 cgroups above thawed: there, unlike on v2, a frozen process does not even die of
 * SIGKILL (freezer-subsystem.rst). What else they hold runs for that moment.
 */
export async function thawedAbove(context: ExecutionContext, path: string, body: () => Promise<void>): Promise<void> {
  const { kernel } = context;
  const freezer = kernel.layout.byController.get('freezer');
  if (freezer?.version !== 1 || kernel.layout.primary?.version === 2) {
    return body();
  }
  const parts = path.split('/');
  const above = parts
    .slice(0, -1)
    .map((_, i) =>
      directoryIn(freezer.mount, kernel.settings.cgroupRoot, context.stackName, parts.slice(0, i + 1).join('/')),
    );
  const own = holdsOf(kernel);
  const states = kernel.readFiles(above.map((dir) => `${dir}/freezer.self_freezing`));
  const held = above.filter((dir, i) => states[i] === '1\n' || own.has(dir));
  held.forEach((dir) => hold(kernel, dir));
  try {
    await body();
  } finally {
    held.forEach((dir) => release(kernel, dir));
  }
}

function hold(kernel: Kernel, dir: string): void {
  const there = holdsOf(kernel).get(dir);
  if (there !== undefined) {
    there.holders++;
    return;
  }
  let end = (): void => undefined;
  const over = new Promise<void>((resolve) => (end = resolve));
  holdsOf(kernel).set(dir, { holders: 1, refreeze: true, over, end });
  kernel.tryWrite(`${dir}/freezer.state`, 'THAWED');
}

function release(kernel: Kernel, dir: string): void {
  const there = holdsOf(kernel).get(dir);
  if (there === undefined || --there.holders > 0) {
    return;
  }
  holdsOf(kernel).delete(dir);
  if (there.refreeze) {
    kernel.tryWrite(`${dir}/freezer.state`, 'FROZEN');
  }
  there.end();
}
