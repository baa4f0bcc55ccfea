import { isAbsolute, resolve } from 'node:path';
import type { Arguments } from '../args.ts';
import type { Command } from '../main.ts';
import { out } from '../output.ts';
import { someAddresses, withTargets, type Act } from '../target.ts';
import { TsboxError } from '../../errors.ts';

const USAGE =
  'tsbox checkpoint CONTAINER [--dir DIR] [--leave-running] [--tcp-established] [--file-locks] [--ext-unix-sk] [--shell-job] [--stack NAME]';

/** Options of criu(8) that are passed on, at the dump and at the restore. */
const CRIU_OPTIONS = ['tcp-established', 'file-locks', 'ext-unix-sk', 'shell-job'] as const;

/** The one container of the command line. */
export function oneContainer(args: Arguments, usage: string): string {
  const [wanted = '', ...more] = someAddresses(args, usage);
  if (more.length > 0) {
    throw new TsboxError('TSB2001', 'one container expected', { hint: usage });
  }
  return wanted;
}

/** Where a container's checkpoint is kept unless --dir says otherwise. */
export function checkpointDirectory(args: Arguments, stateDir: string, stack: string, address: string): string {
  const { dir } = args.values;
  if (dir === '') {
    throw new TsboxError('TSB2001', '--dir needs the path of a directory');
  }
  return dir === undefined
    ? `${stateDir}/checkpoints/${stack}/${address.replace(/^container\//, '')}`
    : isAbsolute(dir)
      ? dir
      : resolve(dir);
}

export const command: Command = {
  options: ['stack', 'dir', 'leave-running', 'lock-timeout', ...CRIU_OPTIONS],
  usage: USAGE,
  help: [
    'Writes a running container into files with CRIU: memory, open files, namespaces, and what it wrote into the private',
    'layer of its root. It then ends, unless --leave-running; tsbox restore goes on from there.',
  ].join('\n'),
  async run(args) {
    const { dumpContainer, requireCriu } = await import('../../executor/checkpoint/dump.ts');
    await requireCriu();
    const wanted = oneContainer(args, USAGE);
    const act: Act = async (context, target) => {
      const directory = checkpointDirectory(args, context.kernel.settings.stateDir, target.stack, target.address);
      if (args.values.dir !== undefined && !wanted.endsWith(target.address.replace('container/', ''))) {
        throw new TsboxError('TSB2001', `--dir takes one container; ${wanted} has replicas`, {
          hint: `write ${target.address}`,
        });
      }
      const leaveRunning = args.flags['leave-running'] === true;
      await dumpContainer(context, target.entry, {
        directory,
        leaveRunning,
        criu: CRIU_OPTIONS.filter((name) => args.flags[name] === true).map((name) => `--${name}`),
      });
      if (args.flags.quiet !== true) {
        out(
          `${target.address}: checkpoint in ${directory}${leaveRunning ? '; it goes on running' : '; it has ended'}\n`,
        );
      }
    };
    return withTargets(args, 'checkpoint', [wanted], act, { only: 'container' });
  },
};
