import type { Command } from '../main.ts';
import type { Planned } from '../../planner/index.ts';
import type { KernelReader } from '../../kernel/reader.ts';
import type { Stack } from '../../stack/types.ts';
import { TsboxError } from '../../errors.ts';
import { choiceOption, type Arguments } from '../args.ts';
import { EXIT } from '../exit.ts';
import { readEarly } from '../early.ts';
import { PLANNING, planOptions, renderOptions } from '../planning.ts';
import { err, out, paletteFor } from '../output.ts';
import { emitPlan } from '../stream.ts';
import { loadStackFor, printWarnings, requirePrivileges, stackNameFor } from '../session.ts';

const FORMATS = ['text', 'markdown', 'json', 'stream'] as const;
type Format = (typeof FORMATS)[number];

export const command: Command = {
  streams: true,
  options: [
    ...PLANNING,
    'stack',
    'json',
    'json-into',
    'format',
    'output',
    'detailed-exitcode',
    'destroy',
    'kernel',
    'record-kernel',
    'compact',
    'diff-context',
    'steps',
  ],
  words: 0,
  usage:
    'tsbox plan [-f FILE]… [--target ADDRESS]… [--exclude ADDRESS]… [--replace ADDRESS]… [--refresh-only] [--destroy] [--compact] [--diff-context N] [--steps] [--detailed-exitcode] [--format text|markdown|json|stream] [--json-into FILE] [-o FILE] [--record-kernel FILE | --kernel FILE]',
  help: ['Compares the stack with the live kernel and shows what apply would change. Writes nothing.'].join('\n'),
  async run(args) {
    const format = args.flags.json === true ? 'stream' : choiceOption(args, 'format', FORMATS, 'text');
    const live = args.values.kernel === undefined && args.values['record-kernel'] === undefined;
    const early = live && args.flags.destroy !== true ? await readEarly(args) : undefined;
    const { name, stack } = args.flags.destroy === true ? await stackNameFor(args) : await named(args);
    const { makePlan } = await import('../../planner/index.ts');
    const { isEmpty } = await import('../../planner/plan.ts');
    const reader = early?.reader ?? (await readerOf(args, stack));
    const destroy = args.flags.destroy === true;
    const options = planOptions(args, destroy);
    if (args.values.output !== undefined) {
      requirePrivileges(reader, 'plan -o');
    }
    const planned = await makePlan(reader, name, stack, options, early?.scope);
    const record = args.values['record-kernel'];
    if (record !== undefined) {
      const { writeRecording } = await import('../recorded-kernel.ts');
      writeRecording(record, reader, planned, planned.stack ?? stack);
    }
    if (format !== 'stream') {
      printWarnings(planned.plan.warnings, args);
    }
    await print(planned, format, destroy, reader.bootId, args);
    if (args.values.output !== undefined) {
      const { savePlan } = await import('../plan-file/save.ts');
      savePlan(args.values.output, reader, planned, planned.stack ?? stack, options, args);
      if (format === 'text' && args.flags.quiet !== true) {
        err(`Saved: tsbox apply ${args.values.output}\n`);
      }
    }
    const { printRefused } = await import('../refused.ts');
    const refused = await printRefused(planned.plan);
    if (refused !== EXIT.ok) {
      return refused;
    }
    return args.flags['detailed-exitcode'] === true && !isEmpty(planned.plan) ? EXIT.differences : EXIT.ok;
  },
};

/** The kernel that is planned against: this machine's, or a recorded one. */
async function readerOf(args: Arguments, stack: Stack | undefined): Promise<KernelReader> {
  if (args.values.kernel === undefined && args.values['record-kernel'] === undefined) {
    const { openReader } = await import('../../kernel/reader.ts');
    return openReader(process.env);
  }
  if (args.values.kernel !== undefined && args.values.output !== undefined) {
    throw new TsboxError(
      'TSB2001',
      'a plan against a recorded kernel cannot be saved: there is nothing to apply it to',
    );
  }
  const { readerFor } = await import('../recorded-kernel.ts');
  return readerFor(args, stack);
}

async function print(
  planned: Planned,
  format: Format,
  destroy: boolean,
  bootId: string,
  args: Arguments,
): Promise<void> {
  await emitPlan(planned, planned.stack, { destroy, bootId });
  if (format === 'text') {
    const { renderPlan } = await import('../../report/plan-text.ts');
    out(await renderPlan(planned.plan, await paletteFor(args), renderOptions(args)));
    return;
  }
  if (format === 'markdown') {
    const { planMarkdown } = await import('../../report/plan-markdown.ts');
    out(await planMarkdown(planned.plan, renderOptions(args)));
    return;
  }
  if (format === 'json') {
    const { documented } = await import('../documented.ts');
    const { planDocument } = await import('../../report/terraform/document.ts');
    out(`${JSON.stringify(planDocument(documented(planned, planned.stack, { destroy, bootId })), null, 2)}\n`);
  }
}

async function named(args: Arguments): Promise<{ name: string; stack: Awaited<ReturnType<typeof loadStackFor>> }> {
  const stack = await loadStackFor(args);
  return { name: stack.name, stack };
}
