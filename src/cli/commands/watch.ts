import type { Command } from '../main.ts';
import type { Arguments } from '../args.ts';
import { EXIT } from '../exit.ts';
import type { Page } from '../watch/serve.ts';
import { requirePrivileges } from '../session.ts';

export const command: Command = {
  options: ['file', 'var', 'all', 'interval', 'heal', 'heal-only', 'listen', 'listen-anywhere', 'webhook', 'json'],
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
    const { teller } = await import('../happenings.ts');
    const { declaredSubjects } = await import('../watch/subjects.ts');
    const { Watcher } = await import('../watch/watcher.ts');
    const { parseListen } = await import('../watch/serve.ts');
    const { Webhook } = await import('../watch/webhook.ts');
    const intervalMs = durationOption(args, 'interval', 60_000, 1000, 86_400_000);
    const heal = severitiesToHeal(args) ?? [];
    const listen =
      args.values.listen === undefined
        ? undefined
        : parseListen(args.values.listen, args.flags['listen-anywhere'] === true);
    const kernel = openKernel(process.env);
    requirePrivileges(kernel, 'watch');
    const hook =
      args.values.webhook === undefined
        ? undefined
        : new Webhook(args.values.webhook, (message) => {
            watcher.counters.errors++;
            tell({ event: 'webhook_failed', message });
          });
    const tell = teller(args.flags.json === true, (line, { event }) => {
      // A message about a message that could not be sent would not be sent either.
      if (event !== 'webhook_failed') {
        hook?.send(line);
      }
    });
    const ended = new Promise<string>((resolve) => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) {
        process.once(signal, () => resolve(signal));
      }
    });
    const declared = await declaredSubjects(args);
    const watcher = new Watcher(kernel, declared, { intervalMs, all: args.flags.all === true, heal }, tell);
    process.on('SIGHUP', () => void reload(args, watcher, tell));
    const served = listen === undefined ? undefined : await startServing(listen, watcher, intervalMs);
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
    await hook?.close();
    process.removeAllListeners('SIGHUP');
    return EXIT.ok;
  },
};

async function startServing(
  listen: import('../watch/serve.ts').Listen,
  watcher: import('../watch/watcher.ts').Watcher,
  intervalMs: number,
): Promise<import('../watch/serve.ts').Served> {
  const { serve } = await import('../watch/serve.ts');
  const { illness, metricsText } = await import('../watch/metrics.ts');
  return serve(listen, (path): Page | undefined => {
    if (path === '/metrics') {
      return { status: 200, type: 'text/plain; version=0.0.4', body: metricsText(watcher.metrics(), watcher.counters) };
    }
    if (path === '/healthz') {
      const ill = illness(watcher.metrics(), Date.now(), intervalMs);
      return { status: ill === undefined ? 200 : 503, type: 'text/plain', body: `${ill ?? 'ok'}\n` };
    }
    return undefined;
  });
}

/** A file that is wrong changes nothing: what was read before goes on. */
async function reload(
  args: Arguments,
  watcher: import('../watch/watcher.ts').Watcher,
  tell: import('../happenings.ts').Tell,
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
