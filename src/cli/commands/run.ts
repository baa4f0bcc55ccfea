import { randomBytes } from 'node:crypto';
import { constants } from 'node:os';
import type { Command } from '../main.ts';
import { TsboxError } from '../../errors.ts';
import type { ExecutionContext, Foreground } from '../../executor/context.ts';
import type { RunState } from '../../kernel/run-state.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import type { Stack } from '../../stack/types.ts';
import type { Arguments } from '../args.ts';
import { EXIT, notRun, RUN_EXIT } from '../exit.ts';
import { err, out, printError } from '../output.ts';
import { requirePrivileges } from '../session.ts';

export const command: Command = {
  options: [
    'name',
    'namespaces',
    'share',
    'rootfs',
    'image',
    'mount',
    'user',
    'workdir',
    'env',
    'capabilities',
    'seccomp',
    'memory',
    'cpus',
    'pids',
    'hostname',
    'network',
    'sysctl',
    'tty',
    'detach',
    'rm',
  ],
  usage: 'tsbox run [OPTION]… -- COMMAND [ARGUMENT]…',
  help: [
    'Runs a command as a container of its own, with our own stdin, stdout and stderr, passes signals on, exits with its',
    'code, and removes everything it made. 125: tsbox failed; 126 and 127: the command cannot be run, or is not there.',
  ].join('\n'),
  async run(args) {
    try {
      return await runContainer(args);
    } catch (error) {
      await printError(error);
      return codeOf(error);
    }
  },
};

function codeOf(error: unknown): number {
  const info = error instanceof TsboxError ? error.info : undefined;
  if (info?.syscall !== 'exec') {
    return RUN_EXIT.failed;
  }
  return notRun(info.errnoCode);
}

async function runContainer(args: Arguments): Promise<number> {
  if (args.positionals.length === 0 && args.values.image === undefined) {
    throw new TsboxError('TSB2001', 'run needs a command', { hint: 'tsbox run --memory 64MiB -- sh -c "echo hello"' });
  }
  const detach = args.flags.detach === true;
  if (detach && (args.flags.rm === true || args.flags.tty === true)) {
    throw new TsboxError('TSB2001', `--detach and --${args.flags.rm === true ? 'rm' : 'tty'} exclude each other`, {
      hint: 'nobody stays to remove it, or to type; tsbox destroy --stack NAME removes it',
    });
  }
  const { openKernel } = await import('../../kernel/kernel.ts');
  const { findContainer, stackNames } = await import('../containers.ts');
  const { loadStack } = await import('../../stack/index.ts');
  const { runStack } = await import('../run-stack.ts');
  const kernel = openKernel(process.env);
  requirePrivileges(kernel, 'run');
  const name = args.values.name ?? `run-${randomBytes(4).toString('hex')}`;
  if (stackNames(kernel).includes(name)) {
    throw new TsboxError('TSB2001', `there is a stack ${name} already`, { hint: 'give another --name' });
  }
  const text = runStack(args, name, (wanted) => {
    const found = findContainer(kernel, wanted, undefined);
    return `${found.stack}:${found.name}`;
  });
  const stack = loadStack(['tsbox run'], { env: process.env, texts: new Map([['tsbox run', text]]) });
  const tty = !detach && (args.flags.tty === true || (process.stdin.isTTY && process.stdout.isTTY));
  const foreground: Foreground = { tty };
  const { executionContext } = await import('../../executor/context.ts');
  const context = executionContext(kernel, name, stack);
  if (detach) {
    await perform(context, stack);
    out(`${name}\n`);
    return EXIT.ok;
  }
  const { readRun } = await import('../../executor/run-state.ts');
  const signals = passSignals(kernel, () => readRun(context, 'main'));
  try {
    await perform({ ...context, foreground }, stack);
    return (await foreground.ended)?.exit ?? RUN_EXIT.failed;
  } finally {
    signals.end();
    await perform(executionContext(kernel, name, undefined), undefined);
    signals.stop();
  }
}

/** Applies the stack, or removes it, without a word; a failure is thrown. */
async function perform(context: ExecutionContext, stack: Stack | undefined): Promise<void> {
  const { checkStack, makePlan } = await import('../../planner/index.ts');
  const { applyPlan } = await import('../../executor/index.ts');
  const { lockStack } = await import('../../executor/lock.ts');
  const { kernel, stackName } = context;
  if (stack !== undefined) {
    checkStack(kernel, stack);
  }
  const lock = await lockStack(context, 10_000);
  try {
    const { plan } = await makePlan(kernel, stackName, stack, { targets: [], destroy: stack === undefined });
    plan.warnings.forEach((warning) => err(`warning: ${warning}\n`));
    const options = { parallelism: 1, interrupted: () => false, onEvent: () => undefined };
    const { failed } = await applyPlan(context, plan, options);
    if (failed[0] !== undefined) {
      throw failed[0].error;
    }
  } finally {
    lock.release();
  }
}

const PASSED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;

/** Signals sent to us go to the program. Those of a terminal's keys have reached its init already. */
function passSignals(kernel: Kernel, state: () => RunState | undefined): { end(): void; stop(): void } {
  let ended = false;
  const pass = async (signal: NodeJS.Signals): Promise<void> => {
    let run = state();
    // The program may have begun before its state could be told.
    while (run?.state !== 'running' && !ended) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      run = state();
    }
    const fd = run === undefined || run.pid === 0 ? undefined : kernel.openProcess(run.pid, run.startTime);
    if (fd !== undefined) {
      kernel.signal(fd, constants.signals[signal]);
      kernel.close(fd);
    }
  };
  const handler = (signal: NodeJS.Signals): void => {
    if (!(process.stdin.isTTY && (signal === 'SIGINT' || signal === 'SIGQUIT'))) {
      void pass(signal).catch((error: unknown) =>
        err(`warning: ${signal} could not be passed on: ${(error as Error).message}\n`),
      );
    }
  };
  PASSED.forEach((signal) => process.on(signal, handler));
  return {
    // While what it made is removed they are still taken, and mean nothing.
    end: () => {
      ended = true;
    },
    stop: () => PASSED.forEach((signal) => process.off(signal, handler)),
  };
}
