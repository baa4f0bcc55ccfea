import type { Command } from '../main.ts';
import { EXIT } from '../exit.ts';
import { out, paletteFor } from '../output.ts';
import { loadStackFor, printWarnings, stackNameFor } from '../session.ts';
import { VERSION } from '../version.ts';

export const command: Command = {
  options: ['file', 'stack', 'var', 'target', 'json', 'detailed-exitcode', 'destroy'],
  usage: 'tsbox plan [-f FILE]… [--target ADDRESS]… [--destroy] [--detailed-exitcode] [--json]',
  help: [
    'Compares the stack with the live kernel and shows what apply would change. Writes nothing.',
    '',
    '  --target ADDRESS      only this resource (cgroup/x takes what is below it) and what it needs',
    '  --destroy             plan the removal of everything the stack owns',
    '  --detailed-exitcode   exit 2 when there are changes, 0 when there are none',
    '  --json                a line-delimited event stream',
  ].join('\n'),
  async run(args) {
    const { name, stack } = args.flags.destroy === true ? await stackNameFor(args) : await named(args);
    const { openReader } = await import('../../kernel/reader.ts');
    const { makePlan } = await import('../../planner/index.ts');
    const { isEmpty } = await import('../../planner/plan.ts');
    const reader = openReader(process.env);
    const { plan } = await makePlan(reader, name, stack, {
      targets: args.targets,
      destroy: args.flags.destroy === true,
    });
    printWarnings(plan.warnings, args);
    if (args.flags.json === true) {
      const { renderPlanJson } = await import('../../report/plan-json.ts');
      out(renderPlanJson(plan, VERSION));
    } else {
      const { renderPlan } = await import('../../report/plan-text.ts');
      out(renderPlan(plan, await paletteFor(args)));
    }
    const { printRefused } = await import('../refused.ts');
    const refused = await printRefused(plan);
    return refused !== EXIT.ok
      ? refused
      : args.flags['detailed-exitcode'] === true && !isEmpty(plan)
        ? EXIT.differences
        : EXIT.ok;
  },
};

async function named(
  args: Parameters<Command['run']>[0],
): Promise<{ name: string; stack: Awaited<ReturnType<typeof loadStackFor>> }> {
  const stack = await loadStackFor(args);
  return { name: stack.name, stack };
}
