import type { Command } from '../main.ts';
import { EXIT } from '../exit.ts';
import { TsboxError } from '../../errors.ts';
import { out, paletteFor } from '../output.ts';
import { loadStackFor, printWarnings, requirePrivileges } from '../session.ts';
import { VERSION } from '../version.ts';

export const command: Command = {
  options: ['file', 'var', 'target', 'json', 'format'],
  usage: 'tsbox drift [-f FILE]… [--target ADDRESS]… [--format text|json]',
  help: 'Shows what changed behind our back since the last apply. Exit 0: no drift, 2: drift. Changes of the stack file are not drift; see plan.',
  async run(args) {
    const format = args.flags.json === true ? 'json' : (args.values.format ?? 'text');
    if (format !== 'text' && format !== 'json') {
      throw new TsboxError('TSB2001', `--format takes text or json, not '${format}'`);
    }
    const stack = await loadStackFor(args);
    const { openReader } = await import('../../kernel/reader.ts');
    const { makePlan } = await import('../../planner/index.ts');
    const { driftItems, driftJson, renderDrift } = await import('../../report/drift.ts');
    const reader = openReader(process.env);
    requirePrivileges(reader, 'drift');
    const { plan } = await makePlan(reader, stack.name, stack, { targets: args.targets, destroy: false });
    printWarnings(plan.warnings, args);
    const command = `tsbox apply ${args.files.map((f) => `-f ${f}`).join(' ')}`;
    out(
      format === 'json' ? driftJson(plan, VERSION, reader.bootId) : renderDrift(plan, await paletteFor(args), command),
    );
    return driftItems(plan).length > 0 ? EXIT.differences : EXIT.ok;
  },
};
