import { readFileSync } from 'node:fs';
import type { Command } from '../main.ts';
import { EXIT, notRun } from '../exit.ts';
import { errnoOf, TsboxError } from '../../errors.ts';
import { detachKeys } from '../detach-keys.ts';
import { err, out } from '../output.ts';
import { requirePrivileges } from '../session.ts';

export const command: Command = {
  options: ['stack', 'user', 'workdir', 'env', 'env-file', 'tty', 'interactive', 'detach', 'detach-keys', 'privileged'],
  usage:
    'tsbox exec CONTAINER [--user USER[:GROUP]] [--workdir DIR] [--env KEY=VALUE]… [--env-file FILE]… [-i] [-t | -d] [--detach-keys KEYS] [--privileged] -- COMMAND [ARGUMENT]…',
  help: [
    "Runs a command in a container: in all its namespaces and its cgroup, with its privileges and no more. Exits with the command's code. -t (--tty) gives it a terminal of its own, the default when tsbox has one; its input is always passed on, so -i changes nothing.",
    '',
    "-d (--detach) does not wait: it prints the pid as the host sees it. What is left running ends with the container, is a child of the machine's init, and nobody keeps what it writes. --privileged gives this one process every capability of the container's user namespace, no system call filter and no no_new_privs; limits, device rules, Landlock and labels stay.",
  ].join('\n'),
  async run(args) {
    const [wanted, ...argv] = args.positionals;
    if (wanted === undefined || argv.length === 0) {
      throw new TsboxError('TSB2001', 'exec needs a container and a command', { hint: 'tsbox exec web -- sh -c "ps"' });
    }
    const { openKernel } = await import('../../kernel/kernel.ts');
    const { findContainer } = await import('../containers.ts');
    const { execSpec } = await import('../../executor/exec.ts');
    const { parseReport } = await import('../../kernel/init-report.ts');
    const { errnoName } = await import('../../kernel/native.ts');
    const detach = args.flags.detach === true;
    if (detach && args.flags.tty === true) {
      throw new TsboxError('TSB2001', '--detach and --tty exclude each other', {
        hint: 'nobody stays to type; ctrl-p ctrl-q leaves a terminal later on',
      });
    }
    const keys = detachKeys(args.values['detach-keys']);
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
      env: [
        ...(args.lists['env-file'] ?? []).flatMap(readEnvFile),
        ...(args.lists.env ?? []).flatMap((item) => variable(item, `--env '${item}'`)),
      ],
      tty: !detach && (args.flags.tty === true || (process.stdin.isTTY && process.stdout.isTTY)),
      detach,
      privileged: args.flags.privileged === true,
      detachKeys: keys,
    });
    if (args.flags.privileged === true) {
      const inner = spec.namespaces.join.some((j) => j.type === 'user');
      err(
        `warning: container/${found.name}: this process has every capability of ${inner ? 'its user namespace' : "the host's user namespace"} and no system call filter: it can ${inner ? 'undo what the container is denied within it' : 'get out of the container'}\n`,
      );
    }
    const result = await kernel.runInteractive(spec, '', detach ? 'null' : 'inherit');
    const report = parseReport(result.report);
    if (!report.ok) {
      err(`error[TSB3002]: ${report.step} ${report.path}: ${errnoName(report.errno)}\n`);
      return report.step === 'exec' ? notRun(errnoName(report.errno)) : result.exit > 0 ? result.exit : EXIT.error;
    }
    if (detach) {
      out(`${report.fields['pid']}\n`);
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
    const code = errnoOf(error);
    throw new TsboxError('TSB2001', `--env-file ${path}: ${code}`, { subject: path, errnoCode: code, cause: error });
  }
  return text.split('\n').flatMap((raw, i) => {
    const line = raw.replace(/\r$/, '').trimStart();
    if (line === '' || line.startsWith('#')) {
      return [];
    }
    return variable(line, `--env-file ${path}: line ${i + 1}`);
  });
}

/** KEY=VALUE; of KEY alone the value that it has here, nothing where it has none. */
function variable(text: string, place: string): string[] {
  const [, key] = /^([^\s=]+)(?:=|$)/.exec(text) ?? [];
  if (key === undefined) {
    throw new TsboxError('TSB2001', `${place} is not KEY=VALUE`);
  }
  const own = process.env[key];
  return text.includes('=') ? [text] : own === undefined ? [] : [`${key}=${own}`];
}
