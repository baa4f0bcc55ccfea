import type { Command } from '../main.ts';
import { EXIT } from '../exit.ts';
import { out } from '../output.ts';
import { stackNameFor, requirePrivileges } from '../session.ts';

export const command: Command = {
  options: ['file', 'stack', 'var', 'json', 'all'],
  words: 0,
  usage: 'tsbox ps [--stack NAME | -f FILE] [--all] [--json]',
  help: [
    'Lists containers with their state, read from the kernel. Without -f and --stack: those of every stack. --all: how each',
    'last ended, too; `tsbox show CONTAINER` and --json have the last ten ends.',
  ].join('\n'),
  async run(args) {
    const { openReader } = await import('../../kernel/reader.ts');
    const { cgroupOf, findContainers, stateText } = await import('../containers.ts');
    const reader = openReader(process.env);
    requirePrivileges(reader, 'ps');
    const all = args.stack === undefined && args.lists.file === undefined;
    const stack = all ? undefined : (await stackNameFor(args)).name;
    const { ageText, statusText } = await import('../status.ts');
    const { compareNames } = await import('../../resources/container/replica-names.ts');
    const { readFrozen } = await import('../../resources/cgroup/stats.ts');
    const found = findContainers(reader, stack).sort(
      (a, b) => (a.stack < b.stack ? -1 : a.stack > b.stack ? 1 : 0) || compareNames(a.name, b.name),
    );
    const cgroups = found.map((c) => cgroupOf(reader, c));
    const { sharedAmong, sharedText } = await import('../sharing.ts');
    const shared = sharedAmong(reader, found);
    const frozen = readFrozen(reader, cgroups);
    const facts = found.map((c, i) => ({
      state: stateText(c),
      alive: c.alive,
      restarts: c.entry.run?.restarts ?? 0,
      sinceMs: c.entry.run?.sinceMs,
      health: c.alive ? (c.entry.run?.health ?? null) : null,
      frozen: c.alive && frozen[i] === true,
    }));
    const { endText, historyJson, readRuns } = await import('../show-runs.ts');
    const ends = readRuns(reader, cgroups).map((r) => r.history);
    const now = Date.now();
    const rows = found.map((c, i) => ({
      stack: c.stack,
      name: c.name,
      state: stateText(c),
      status: statusText(facts[i] as (typeof facts)[number], now),
      pid: c.alive ? (c.entry.run?.pid ?? 0) : null,
      restarts: c.entry.run?.restarts ?? 0,
      since: c.entry.run === undefined ? null : new Date(c.entry.run.sinceMs).toISOString(),
      health: c.alive ? (c.entry.run?.health ?? null) : null,
      exit: c.entry.run === undefined || c.entry.run.exit < 0 ? null : c.entry.run.exit,
      frozen: c.alive && frozen[i] === true,
      namespaces: shared[i] ?? {},
      history: historyJson(ends[i] ?? []),
      cgroup: cgroups[i] ?? '',
    }));
    if (args.flags.json === true) {
      out(`${JSON.stringify(rows, null, 2)}\n`);
      return EXIT.ok;
    }
    const sharing = rows.map((r) => sharedText(r.namespaces, r.stack));
    const some = sharing.some((text) => text !== '-');
    const wide = args.flags.all === true && ends.some((e) => e.length > 0);
    const lastEnd = (i: number): string => {
      const end = ends[i]?.at(-1);
      return end === undefined ? '-' : `${ageText(now - end.endMs)} ago: ${endText(end)}`;
    };
    const header = [
      'STACK',
      'CONTAINER',
      'STATUS',
      'PID',
      'RESTARTS',
      ...(some ? ['SHARES'] : []),
      ...(wide ? ['LAST END'] : []),
      'CGROUP',
    ];
    const table = [
      header,
      ...rows.map((r, i) => [
        r.stack,
        r.name,
        r.status,
        r.pid === null ? '-' : String(r.pid),
        String(r.restarts),
        ...(some ? [sharing[i] ?? '-'] : []),
        ...(wide ? [lastEnd(i)] : []),
        r.cgroup,
      ]),
    ];
    const widths = header.map((_, i) => Math.max(...table.map((row) => (row[i] ?? '').length)));
    for (const row of table) {
      out(
        `${row
          .map((cell, i) => cell.padEnd(widths[i] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
      );
    }
    return EXIT.ok;
  },
};
