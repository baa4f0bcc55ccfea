/** Applying a saved plan: it is its own approval, and it is done as it was shown or not at all. */
import { TsboxError } from '../../errors.ts';
import type { Arguments, OptionName } from '../args.ts';
import { runCourse } from '../run-apply.ts';
import { requirePrivileges } from '../session.ts';
import { openPlan, requireUnmoved, stackOfPlan } from './load.ts';
import { takePlan } from './use.ts';

/** What the plan has settled already. */
const SETTLED: readonly OptionName[] = ['file', 'target', 'exclude', 'replace'];

export async function applySaved(args: Arguments, parallelism: number): Promise<number> {
  const [path = '', ...more] = args.positionals;
  const settled = SETTLED.find((name) => args.lists[name] !== undefined);
  if (more.length > 0 || settled !== undefined) {
    throw new TsboxError('TSB2001', `${more[0] ?? `--${settled ?? ''}`} cannot be given with a saved plan`, {
      hint: 'it carries its stack files and its options',
    });
  }
  const { openKernel } = await import('../../kernel/kernel.ts');
  const kernel = openKernel(process.env);
  requirePrivileges(kernel, 'apply');
  const loaded = openPlan(path, kernel);
  const { stack: name, options } = loaded.file;
  const stack = await stackOfPlan(loaded, args);
  const settings = { destroy: options.destroy, volumes: options.volumes ?? false, parallelism };
  return runCourse(
    { args, kernel, name, stack, settings, options },
    {
      async accept(planned) {
        const moved = requireUnmoved(loaded, planned, args.flags['allow-subset'] === true);
        const { plan } = planned;
        return moved === undefined ? planned : { ...planned, plan: { ...plan, warnings: [...plan.warnings, moved] } };
      },
      take: () => takePlan(loaded.path, kernel.settings.stateDir, loaded.file.id, kernel.bootId),
    },
  );
}
