import type { Command } from '../main.ts';
import { numberOption } from '../args.ts';
import { loadStackFor } from '../session.ts';
import { checkpointDirectory, oneContainer } from './checkpoint.ts';
import { TsboxError } from '../../errors.ts';

const USAGE = 'tsbox restore CONTAINER [-f FILE]… [--dir DIR] [--auto-approve] [--lock-timeout SECONDS]';

export const command: Command = {
  options: ['file', 'var', 'dir', 'auto-approve', 'lock-timeout', 'json'],
  usage: USAGE,
  help: [
    'Makes a container again from what tsbox checkpoint wrote, in its own cgroup and under a supervisor: an apply of',
    'the container in which its start goes on from the checkpoint. The stack must still say of the process what it said',
    'then; what changes in place may have changed.',
  ].join('\n'),
  async run(args) {
    const wanted = oneContainer(args, USAGE).replace(/^container\//, '');
    const { requireCriu } = await import('../../executor/checkpoint/dump.ts');
    const { readCheckpoint } = await import('../../executor/checkpoint/restore.ts');
    const { openReader } = await import('../../kernel/reader.ts');
    const { makePlan } = await import('../../planner/index.ts');
    const { kindOf } = await import('../../resources/registry.ts');
    const { sameValue } = await import('../../resources/attribute.ts');
    const { runApply } = await import('../run-apply.ts');
    await requireCriu();
    const stack = await loadStackFor(args);
    const address = `container/${wanted}`;
    if (!stack.containers.has(wanted)) {
      throw new TsboxError('TSB2003', `${address} is not in the stack ${stack.name}`);
    }
    const reader = openReader(process.env);
    const directory = checkpointDirectory(args, reader.settings.stateDir, stack.name, address);
    const meta = readCheckpoint(directory);
    const planned = await makePlan(reader, stack.name, stack, { targets: [address], destroy: false });
    if (planned.observed.get(address)?.live['state'] === 'running') {
      throw new TsboxError('TSB3020', `${address} is running`, {
        hint: 'stop it first; a checkpoint is another run of it',
      });
    }
    const desired = planned.declared.get(address)?.desired ?? {};
    const differs = [...kindOf(address).attributes.values()].filter(
      (a) => a.change !== 'in-place' && a.name !== 'state' && !sameValue(a, desired[a.name], meta.applied[a.name]),
    );
    if (differs.length > 0 || meta.address !== address) {
      throw new TsboxError(
        'TSB3020',
        meta.address === address
          ? `the stack says otherwise of ${address} than when it was written down: ${differs.map((a) => a.name).join(', ')}`
          : `${directory} is a checkpoint of ${meta.address}`,
        { hint: 'a process cannot be changed by restoring it: restore with the stack as it was, or apply' },
      );
    }
    return runApply({ ...args, targets: [address] }, stack.name, stack, {
      destroy: false,
      parallelism: numberOption(args, 'parallelism', 8, 1, 256),
      restore: { container: wanted, directory, meta },
    });
  },
};
