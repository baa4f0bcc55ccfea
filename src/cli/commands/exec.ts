import { readFileSync } from 'node:fs';
import type { Command } from '../main.ts';
import { EXIT } from '../exit.ts';
import { TsboxError } from '../../errors.ts';
import { err } from '../output.ts';
import { requirePrivileges } from '../session.ts';

export const command: Command = {
  options: ['stack', 'user', 'workdir', 'env', 'env-file', 'tty', 'interactive'],
  usage:
    'tsbox exec CONTAINER [--user UID[:GID]] [--workdir DIR] [--env KEY=VALUE]… [--env-file FILE]… [-i] [-t] -- COMMAND [ARGUMENT]…',
  help: "Runs a command in a container: in all its namespaces and its cgroup, with its privileges and no more. Exits with the command's code. -t (--tty) gives it a terminal of its own, the default when tsbox has one; its input is always passed on, so -i changes nothing.",
  async run(args) {
    const [wanted, ...argv] = args.positionals;
    if (wanted === undefined || argv.length === 0) {
      throw new TsboxError('TSB2001', 'exec needs a container and a command', { hint: 'tsbox exec web -- sh -c "ps"' });
    }
    const { openKernel } = await import('../../kernel/kernel.ts');
    const { findContainer } = await import('../containers.ts');
    const { execSpec } = await import('../../executor/exec.ts');
    const { parseReport } = await import('../../kernel/init-spec.ts');
    const { errnoName } = await import('../../kernel/native.ts');
    const kernel = openKernel(process.env);
    requirePrivileges(kernel, 'exec');
    const found = findContainer(kernel, wanted, args.stack);
    if (!found.alive) {
      throw new TsboxError('TSB2004', `container/${found.name} is not running`, { hint: 'tsbox ps shows its state' });
    }
    const spec = execSpec(kernel, found.stack, found.entry, {
      argv,
      user: args.values.user,
      workdir: args.values.workdir,
      env: [...(args.lists['env-file'] ?? []).flatMap(readEnvFile), ...(args.lists.env ?? [])],
      tty: args.flags.tty === true || (process.stdin.isTTY && process.stdout.isTTY),
    });
    const result = await kernel.runInteractive(spec);
    const report = parseReport(result.report);
    if (!report.ok) {
      err(`error[TSB3002]: ${report.step} ${report.path}: ${errnoName(report.errno)}\n`);
      return result.exit > 0 ? result.exit : EXIT.error;
    }
    return result.exit;
  },
};

/** KEY=VALUE a line, taken as it stands; KEY alone has the value that it has here; # begins a comment. */
function readEnvFile(path: string): string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    throw new TsboxError('TSB2001', `--env-file ${path}: ${code}`, { subject: path, errnoCode: code, cause: error });
  }
  return text.split('\n').flatMap((raw, i) => {
    const line = raw.replace(/\r$/, '').trimStart();
    if (line === '' || line.startsWith('#')) {
      return [];
    }
    const [, key] = /^([^\s=]+)(?:=|$)/.exec(line) ?? [];
    if (key === undefined) {
      throw new TsboxError('TSB2001', `--env-file ${path}: line ${i + 1} is not KEY=VALUE`, { subject: path });
    }
    const own = process.env[key];
    return line.includes('=') ? [line] : own === undefined ? [] : [`${key}=${own}`];
  });
}
