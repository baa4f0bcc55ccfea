import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Command } from '../main.ts';
import { choiceOption } from '../args.ts';
import { EXIT } from '../exit.ts';
import { TsboxError } from '../../errors.ts';
import type { Reconciler } from '../reconcile/reconciler.ts';
import { loadStackFor, requirePrivileges } from '../session.ts';

export const command: Command = {
  options: [
    'git',
    'branch',
    'dir',
    'interval',
    'verify-signatures',
    'signers',
    'policy',
    'approve',
    'suspend',
    'resume',
    'prune',
    'allow-empty',
    'rollback',
    'health-timeout',
    'window',
    'status',
    'once',
    'listen',
    'listen-anywhere',
    'webhook',
    'var',
    'json',
  ],
  words: 0,
  usage:
    'tsbox reconcile --git PATH_OR_URL [--branch B] [--dir DIR] [--interval 60s] [--verify-signatures] [--policy auto|in-place|approved] [--prune] [--rollback] [--window WINDOW]… [--listen ADDRESS] [--webhook URL] [--once]',
  help: [
    'Keeps the stacks of a git repository applied: each YAML file of its directory that says tsbox: is one. One attempt for',
    'each revision; a failed one changes nothing more until the next. Runs until it is ended; SIGHUP looks at once.',
  ].join('\n'),
  async run(args) {
    const { openKernel } = await import('../../kernel/kernel.ts');
    const { gitSource } = await import('../../kernel/git.ts');
    const { listenOption, serveVitals } = await import('../daemon/endpoint.ts');
    const { hookedTeller } = await import('../daemon/hooked.ts');
    const { reconcileIllness, reconcileMetrics } = await import('../reconcile/metrics.ts');
    const { Reconciler } = await import('../reconcile/reconciler.ts');
    const { durationOption } = await import('../duration-option.ts');
    const { POLICIES } = await import('../reconcile/policy.ts');
    const { parseWindow } = await import('../reconcile/windows.ts');
    if (args.values.git === undefined) {
      throw new TsboxError('TSB2001', 'which repository? --git PATH_OR_URL');
    }
    const source = gitSource(args.values.git);
    const subdirectory = args.values.dir ?? '.';
    const branch = args.values.branch;
    const id = createHash('sha256')
      .update([source, branch ?? '', subdirectory].join('\0'))
      .digest('hex')
      .slice(0, 16);
    const kernel = openKernel(process.env);
    requirePrivileges(kernel, 'reconcile');
    const listen = listenOption(args);
    const healthTimeoutMs = durationOption(args, 'health-timeout', 60_000, 1000, 86_400_000);
    const intervalMs = durationOption(args, 'interval', 60_000, 1000, 86_400_000);
    const hooked = hookedTeller(args, () => undefined);
    let told = 0;
    const state = { ended: false, wake: (): void => undefined };
    const reconciler = new Reconciler(
      kernel,
      {
        source,
        id,
        directory: join(kernel.settings.stateDir, 'git', id),
        branch,
        subdirectory,
        verify: args.flags['verify-signatures'] === true,
        signers: args.values.signers,
        policy: choiceOption(args, 'policy', POLICIES, 'auto'),
        prune: args.flags.prune === true,
        allowEmpty: args.flags['allow-empty'] === true,
        rollback: args.flags.rollback === true,
        healthTimeoutMs,
        windows: (args.lists.window ?? []).map(parseWindow),
        statusFile: args.values.status,
        load: (file) => loadStackFor({ ...args, files: [file] }),
      },
      (happening) => {
        told++;
        hooked.tell(happening);
      },
      () => state.ended,
    );
    if (args.values.approve !== undefined) {
      reconciler.approve(args.values.approve);
      await hooked.close();
      return EXIT.ok;
    }
    if (args.flags.suspend === true || args.flags.resume === true) {
      if (args.flags.suspend === args.flags.resume) {
        throw new TsboxError('TSB2001', "--suspend and --resume are each other's opposite", { hint: 'give one' });
      }
      if (args.flags.suspend === true) {
        reconciler.suspend();
      } else {
        reconciler.resume();
      }
      await hooked.close();
      return EXIT.ok;
    }
    reconciler.lock();
    const began = Date.now();
    const served = await serveVitals(listen, {
      metrics: () =>
        reconcileMetrics(reconciler.status, reconciler.stacks, reconciler.counts, reconciler.suspended !== undefined),
      illness: () => reconcileIllness(reconciler.counts, began, Date.now(), intervalMs, healthTimeoutMs),
    });
    if (served !== undefined) {
      hooked.tell({ event: 'serving', message: `metrics on ${served.address}` });
    }
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.once(signal, () => {
        state.ended = true;
        state.wake();
      });
    }
    process.on('SIGHUP', () => state.wake());
    while (!state.ended) {
      await reconciler.round();
      if (args.flags.once === true) {
        const { error } = reconciler.status;
        if (told === 0 && error !== null) {
          // It was told in an earlier round, of another process: here it would be an exit code alone.
          hooked.tell({ event: 'unchanged', message: error });
        }
        break;
      }
      await sleep(reconciler, intervalMs, state);
    }
    process.removeAllListeners('SIGHUP');
    await served?.close();
    await hooked.close();
    return args.flags.once === true ? exitOf(reconciler) : EXIT.ok;
  },
};

/** A tenth more or less, so that many machines do not come at the same moment. */
async function sleep(
  reconciler: Reconciler,
  intervalMs: number,
  state: { ended: boolean; wake: () => void },
): Promise<void> {
  const ms = intervalMs * (0.9 + 0.2 * Math.random());
  reconciler.save(new Date(Date.now() + ms));
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, state.ended ? 0 : ms);
    state.wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}

function exitOf({ status }: Reconciler): number {
  if (status.attempt?.result === 'pending') {
    return EXIT.refused;
  }
  return status.error === null ? EXIT.ok : EXIT.error;
}
