import type { Command } from '../main.ts';
import type { Arguments } from '../args.ts';
import { EXIT } from '../exit.ts';
import { requirePrivileges } from '../session.ts';

export const command: Command = {
  options: ['file', 'var', 'all', 'interval', 'heal', 'heal-only', 'listen', 'listen-anywhere', 'webhook', 'json'],
  words: 0,
  usage:
    'tsbox watch [-f FILE]… | --all [-f FILE]…  [--interval 60s] [--heal[=SEVERITY,…]] [--listen ADDRESS] [--webhook URL] [--json]',
  help: [
    'Notices drift as it happens, says by whom, and heals it where told to. Runs until it is ended (SIGTERM, SIGINT);',
    'SIGHUP reads the stack files again. Containers do not notice it come or go.',
  ].join('\n'),
  async run(args) {
    const { openKernel } = await import('../../kernel/kernel.ts');
    const { durationOption } = await import('../duration-option.ts');
    const { severitiesToHeal } = await import('../drift/heal.ts');
    const { listenOption, serveVitals } = await import('../daemon/endpoint.ts');
    const { hookedTeller } = await import('../daemon/hooked.ts');
    const { illness, metricsText } = await import('../watch/metrics.ts');
    const { declaredSubjects } = await import('../watch/subjects.ts');
    const { Watcher } = await import('../watch/watcher.ts');
    const intervalMs = durationOption(args, 'interval', 60_000, 1000, 86_400_000);
    const heal = severitiesToHeal(args) ?? [];
    const listen = listenOption(args);
    const kernel = openKernel(process.env);
    requirePrivileges(kernel, 'watch');
    const hooked = hookedTeller(args, () => void watcher.counters.errors++);
    const { tell } = hooked;
    const ended = new Promise<string>((resolve) => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) {
        process.once(signal, () => resolve(signal));
      }
    });
    const declared = await declaredSubjects(args);
    const watcher = new Watcher(kernel, declared, { intervalMs, all: args.flags.all === true, heal }, tell);
    process.on('SIGHUP', () => void reload(args, watcher, tell));
    const served = await serveVitals(listen, {
      metrics: () => metricsText(watcher.metrics(), watcher.counters),
      illness: () => illness(watcher.metrics(), Date.now(), intervalMs),
    });
    await watcher.start();
    const stacks = watcher.metrics().map((s) => s.stack);
    tell({
      event: 'watching',
      message: `${stacks.join(', ') || 'no stack yet'}${served === undefined ? '' : `; metrics on ${served.address}`}`,
      stacks,
      interval_seconds: intervalMs / 1000,
      heal,
    });
    const signal = await ended;
    await watcher.close();
    await served?.close();
    tell({ event: 'ended', message: `by ${signal}` });
    await hooked.close();
    process.removeAllListeners('SIGHUP');
    return EXIT.ok;
  },
};

/** A file that is wrong changes nothing: what was read before goes on. */
async function reload(
  args: Arguments,
  watcher: import('../watch/watcher.ts').Watcher,
  tell: import('../daemon/happenings.ts').Tell,
): Promise<void> {
  const { declaredSubjects } = await import('../watch/subjects.ts');
  const { reasonOf } = await import('../quiet-apply.ts');
  try {
    const declared = await declaredSubjects(args);
    watcher.reload(declared);
    tell({ event: 'reloaded', message: `${declared.length} ${declared.length === 1 ? 'stack' : 'stacks'}` });
  } catch (error) {
    watcher.counters.errors++;
    tell({ event: 'reload_failed', message: `the stacks stay as they were read before: ${reasonOf(error)}` });
  }
}
