import type { Command } from '../main.ts';
import { EXIT } from '../exit.ts';
import { TsboxError } from '../../errors.ts';
import { nameFrom, withinHierarchy } from '../cgroup-path.ts';
import { err, out } from '../output.ts';

export const command: Command = {
  options: ['name', 'depth', 'json'],
  usage: 'tsbox import cgroup PATH [--name STACK] [--depth N] [--json]\ntsbox import pid N [--name STACK] [--json]',
  help: [
    'cgroup: writes a stack that describes an existing cgroup and what is below it: only what differs from the defaults.',
    'PATH is that of /proc/PID/cgroup, or a directory below /sys/fs/cgroup. Nothing is changed; applying the stack',
    'adopts the cgroups as they are, and destroying it gives them back with the values they had.',
    'pid: writes a stack of one container that is like a running process: command, environment, namespaces, root,',
    'mounts, privileges, limits, devices. What cannot be told is in comments. Applying it starts a copy.',
  ].join('\n'),
  async run(args) {
    const [what, given] = args.positionals;
    if (what === 'pid' && given !== undefined && /^[1-9]\d{0,6}$/.test(given)) {
      const { importProcess } = await import('../import-process.ts');
      return importProcess(args, Number(given));
    }
    if (what !== 'cgroup' || given === undefined) {
      throw new TsboxError('TSB2001', 'import takes: cgroup PATH, or pid NUMBER', {
        hint: 'for example: tsbox import cgroup /system.slice/db.service',
      });
    }
    const { openReader } = await import('../../kernel/reader.ts');
    const { describeCgroup } = await import('../../resources/cgroup/describe.ts');
    const reader = openReader(process.env);
    const path = withinHierarchy(
      given,
      reader.layout.hierarchies.map((h) => h.mount),
    );
    const depth = args.values.depth === undefined ? Infinity : Number(args.values.depth);
    if (!(depth >= 0)) {
      throw new TsboxError('TSB2001', `--depth takes a number of levels, not '${args.values.depth}'`);
    }
    const found = path === '' ? undefined : describeCgroup(reader, path, depth);
    if (found === undefined) {
      throw new TsboxError('TSB2003', path === '' ? 'the root itself is not adopted' : `there is no cgroup ${path}`, {
        hint: `looked in ${reader.layout.primary?.mount ?? 'no hierarchy'}; name one below the root as /proc/PID/cgroup does`,
      });
    }
    const base = nameFrom(path);
    const stack = { tsbox: 1, name: args.values.name ?? base, cgroups: { [base]: { adopt: path, ...found.fields } } };
    if (found.leftOut.length > 0) {
      err(
        `warning: left out, because the language has no such names: ${found.leftOut.slice(0, 10).join(', ')}${found.leftOut.length > 10 ? ', …' : ''}\n`,
      );
    }
    if (args.flags.json === true) {
      out(`${JSON.stringify(stack, null, 2)}\n`);
      return EXIT.ok;
    }
    const { stackText } = await import('../../stack/write.ts');
    out(
      `# ${path} and ${found.cgroups - 1} below it, as the kernel had them. apply adopts them; destroy gives them back.\n` +
        stackText(stack),
    );
    return EXIT.ok;
  },
};
