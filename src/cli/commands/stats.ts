import type { Command } from '../main.ts';
import { choiceOption, secondsOption } from '../args.ts';
import { TsboxError } from '../../errors.ts';
import { EXIT } from '../exit.ts';
import { out } from '../output.ts';
import { requirePrivileges } from '../session.ts';
import { namesOf } from '../target.ts';
import type { StatsRow } from '../../report/stats-text.ts';

const USAGE = 'tsbox stats [ADDRESS…] [--stack NAME] [--interval SECONDS] [--json | --format text|json|prometheus]';

const FORMATS = ['text', 'json', 'prometheus'] as const;

export const command: Command = {
  options: ['stack', 'json', 'format', 'interval'],
  usage: USAGE,
  help: [
    'Shows what the cgroups of the stacks use, each with everything below it: processor (100% is one), memory and its',
    'limit, processes, disk traffic, periods lost to cpu.max, out-of-memory kills, and pressure (percent of the last 10 s',
    'in which somebody waited for processor, memory, disks). Rates are over --interval (0.5). What this kernel does not',
    'say is "-", and null in JSON. prometheus is one sample in the text exposition format.',
  ].join('\n'),
  async run(args) {
    const format = args.flags.json === true ? 'json' : choiceOption(args, 'format', FORMATS, 'text');
    const interval = secondsOption(args, 'interval', 0.5, 0.05, 3600);
    const { openReader } = await import('../../kernel/reader.ts');
    const { Sampler } = await import('../sampling.ts');
    const { prometheusText, statsJson, statsTable } = await import('../../report/stats-text.ts');
    const reader = openReader(process.env);
    requirePrivileges(reader, 'stats');
    const sampler = new Sampler(reader, args.stack);
    let rows = sampler.next();
    if (format !== 'prometheus') {
      await new Promise((resolve) => setTimeout(resolve, interval * 1000));
      rows = sampler.next();
    }
    const wanted = chosen(rows, args.positionals);
    if (format === 'prometheus') {
      out(prometheusText(wanted));
    } else if (format === 'json') {
      out(`${JSON.stringify(statsJson(wanted), null, 2)}\n`);
    } else {
      statsTable(wanted).forEach((line) => out(`${line}\n`));
    }
    return EXIT.ok;
  },
};

/** The rows of the addresses (container/a, a, container/stack:a), or all. */
function chosen(rows: readonly StatsRow[], addresses: readonly string[]): readonly StatsRow[] {
  if (addresses.length === 0) {
    return rows;
  }
  const names = ({ stack, address }: StatsRow): string[] => (address === null ? [] : namesOf({ stack, address }));
  for (const address of addresses) {
    if (!rows.some((r) => names(r).includes(address))) {
      const known = rows.flatMap((r) => (r.address === null ? [] : [r.address]));
      throw new TsboxError('TSB2003', `nothing is at '${address}'`, {
        hint: known.length === 0 ? 'no stack exists; apply one first' : `there are: ${known.slice(0, 8).join(', ')}`,
      });
    }
  }
  return rows.filter((r) => names(r).some((n) => addresses.includes(n)));
}
