import type { Command } from '../main.ts';
import { EXIT } from '../exit.ts';
import { err, out } from '../output.ts';
import { printWarnings, requirePrivileges } from '../session.ts';
import type { StreamEvent } from '../event-stream.ts';
import { absentNames, namesOf } from '../target.ts';
import { checkJson, checkText } from '../show-runs.ts';

export const command: Command = {
  options: ['stack', 'json'],
  usage: 'tsbox events [ADDRESS…] [--stack NAME] [--json]',
  help: [
    'Shows what happens to the cgroups of the stacks, as it happens, until interrupted: created, populated, frozen, thawed,',
    'limit (which one was hit, how often), oom, oom_kill, oom_group_kill, emptied, removed; and of containers with a health',
    'check starting, healthy, unhealthy, with what the check said. --json: one object per line.',
    'The kernel tells of changes itself (inotify; eventfd for memory on v1). On v1 the freezer, pids.events and, without any',
    'v2, whether a cgroup is empty, are looked at twice a second.',
  ].join('\n'),
  async run(args) {
    const { openKernel } = await import('../../kernel/kernel.ts');
    const { EventStream } = await import('../event-stream.ts');
    const kernel = openKernel(process.env);
    requirePrivileges(kernel, 'events');
    const wanted = new Set(args.positionals);
    // What is not there may come; more often its name was written wrong.
    printWarnings(
      absentNames(kernel, args.positionals, args.stack).map((name) => `nothing is at '${name}' yet`),
      args,
    );
    const json = args.flags.json === true;
    const show = (event: StreamEvent): void => {
      const { stack, address } = event;
      const fits =
        (args.stack === undefined || args.stack === stack) &&
        (wanted.size === 0 || (address !== undefined && namesOf({ stack, address }).some((n) => wanted.has(n))));
      if (fits) {
        out(json ? `${jsonLine(event)}\n` : `${textLine(event)}\n`);
      }
    };
    return await new Promise<number>((resolve, reject) => {
      const end = (): void => {
        stream.close();
        resolve(EXIT.ok);
      };
      const stream = new EventStream(kernel, show, (error) => {
        stream.close();
        reject(error instanceof Error ? error : new Error(String(error)));
      });
      const count = stream.start();
      process.once('SIGINT', end);
      process.once('SIGTERM', end);
      if (args.flags.quiet !== true) {
        err(`watching ${count} cgroup${count === 1 ? '' : 's'}\n`);
      }
    });
  },
};

function jsonLine(e: StreamEvent): string {
  return JSON.stringify({
    time: e.time.toISOString(),
    stack: e.stack,
    address: e.address ?? null,
    cgroup: e.cgroup,
    event: e.event,
    ...(e.limit === undefined ? {} : { limit: e.limit, value: e.value ?? null }),
    count: e.count,
    ...(e.check === undefined ? {} : { check: checkJson(e.check) }),
  });
}

function textLine(e: StreamEvent): string {
  const times = e.count === 1 ? '' : ` ${e.count} times`;
  const value = e.value === undefined ? '' : ` = ${e.value}`;
  const what = e.limit === undefined ? `${e.event}${times}` : `limit ${e.limit}${value} hit${times}`;
  const said = e.check === undefined ? '' : `   # ${checkText(e.check)}`;
  return `${e.time.toISOString()}  ${`${e.stack}:${e.address ?? e.cgroup}`.padEnd(28)}  ${what}${said}`;
}
