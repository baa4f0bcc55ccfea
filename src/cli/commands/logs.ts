import type { Command } from '../main.ts';
import { numberOption } from '../args.ts';
import { EXIT } from '../exit.ts';
import { TsboxError } from '../../errors.ts';
import { err, out, paletteFor } from '../output.ts';
import { requirePrivileges } from '../session.ts';

export const command: Command = {
  options: ['file', 'stack', 'var', 'tail', 'timestamps', 'follow', 'since', 'until', 'stream', 'json'],
  usage:
    'tsbox logs [CONTAINER…] [--stack NAME | -f FILE] [--tail N] [--since TIME] [--until TIME] [--stream stdout|stderr]\n' +
    '           [--timestamps] [--follow] [--json]',
  help: [
    'Shows what containers wrote to standard output and error, in the order of time, rotated files included. Without',
    'names: all of the stack. A name stands for all replicas of a container.',
  ].join('\n'),
  async run(args) {
    const { openReader } = await import('../../kernel/reader.ts');
    const { parseTime } = await import('../log-line.ts');
    const { Logs } = await import('../log-follow.ts');
    const { containersOf } = await import('../stack-containers.ts');
    const { findAllTargets, fullAddress } = await import('../target.ts');
    const { addressFits, containerOf } = await import('../../resources/container/replica-names.ts');
    const reader = openReader(process.env);
    requirePrivileges(reader, 'logs');
    const { stream, since, until } = args.values;
    if (stream !== undefined && stream !== 'stdout' && stream !== 'stderr') {
      throw new TsboxError('TSB2001', `--stream must be stdout or stderr, not '${stream}'`);
    }
    const now = Date.now();
    const targets = findAllTargets(reader, await containersOf(args), args.stack, 'container');
    // A name without a number goes on to stand for the replicas that are added.
    const named = args.positionals.length === 0 ? undefined : args.positionals;
    const groups = targets.map(fullAddress).map((a) => (isNumbered(named, a) ? a : containerOf(a)));
    const stacks = [...new Set(targets.map((t) => t.stack))];
    const logs = new Logs(reader, stacks, {
      tail: numberOption(args, 'tail', -1, 0, 10_000_000),
      since: since === undefined ? -Infinity : parseTime('since', since, now),
      until: until === undefined ? Infinity : parseTime('until', until, now),
      stream,
      wanted: (address) => named === undefined || groups.some((g) => addressFits(address, g)),
    });
    const { logElsewhere } = await import('../../resources/container/log.ts');
    const { linePrinter } = await import('../log-print.ts');
    const several = targets.length > 1 || named === undefined;
    const print = linePrinter({
      names: targets.map((t) => t.address.slice('container/'.length)),
      prefix: several,
      timestamps: args.flags.timestamps === true,
      json: args.flags.json === true,
      palette: await paletteFor(args),
    });
    for (const { address, entry } of targets) {
      const applied = entry.label?.applied?.['log'];
      const where = typeof applied === 'string' ? logElsewhere(applied, address.slice('container/'.length)) : undefined;
      if (where !== undefined) {
        err(`${address}: ${where}\n`);
      }
    }
    logs.first().forEach((item) => out(print(item)));
    if (args.flags.follow === true) {
      await logs.follow((items) => items.forEach((item) => out(print(item))));
    }
    return EXIT.ok;
  },
};

/** Whether a container is asked for by its number, and not as one of all replicas. */
function isNumbered(named: readonly string[] | undefined, address: string): boolean {
  const name = address.replace(/^container\/[^:]*:/, '');
  return named?.some((n) => n === name || n.endsWith(`/${name}`) || n.endsWith(`:${name}`)) === true;
}
