/** The entry: picks a command, loads only what it needs, and turns its outcome into an exit code. */
import type { Arguments, OptionName } from './args.ts';
import { EXIT } from './exit.ts';

export interface Command {
  readonly options: readonly OptionName[];
  /** Usage line and what it does, for --help. */
  readonly usage: string;
  readonly help: string;
  /** With --json it writes an event stream, and errors are events of it. */
  readonly streams?: boolean;
  run(args: Arguments): Promise<number>;
}

const COMMANDS: Readonly<Record<string, () => Promise<{ command: Command }>>> = {
  apply: () => import('./commands/apply.ts'),
  cp: () => import('./commands/cp.ts'),
  attach: () => import('./commands/attach.ts'),
  checkpoint: () => import('./commands/checkpoint.ts'),
  convert: () => import('./commands/convert.ts'),
  destroy: () => import('./commands/destroy.ts'),
  doctor: () => import('./commands/doctor.ts'),
  drift: () => import('./commands/drift.ts'),
  events: () => import('./commands/events.ts'),
  exec: () => import('./commands/exec.ts'),
  freeze: () => import('./commands/freeze.ts'),
  images: () => import('./commands/images.ts'),
  import: () => import('./commands/import.ts'),
  pause: () => import('./commands/pause.ts'),
  restart: () => import('./commands/restart.ts'),
  start: () => import('./commands/start.ts'),
  stop: () => import('./commands/stop.ts'),
  unlock: () => import('./commands/unlock.ts'),
  unpause: () => import('./commands/unpause.ts'),
  wait: () => import('./commands/wait.ts'),
  kill: () => import('./commands/kill.ts'),
  logs: () => import('./commands/logs.ts'),
  plan: () => import('./commands/plan.ts'),
  ps: () => import('./commands/ps.ts'),
  restore: () => import('./commands/restore.ts'),
  run: () => import('./commands/run.ts'),
  show: () => import('./commands/show.ts'),
  signal: () => import('./commands/signal.ts'),
  stats: () => import('./commands/stats.ts'),
  thaw: () => import('./commands/thaw.ts'),
  top: () => import('./commands/top.ts'),
  validate: () => import('./commands/validate.ts'),
  version: () => import('./commands/version.ts'),
};

const SUMMARY: Readonly<Record<string, string>> = {
  validate: 'check stack files; needs no privileges',
  plan: 'show what apply would change',
  apply: 'make the kernel match the stack',
  drift: 'show what changed since the last apply',
  destroy: 'remove everything the stack made',
  ps: 'list containers',
  show: 'show a resource as it is now',
  images: 'list stored images and who uses them; `images prune` removes the others',
  import: 'write a stack that describes an existing cgroup',
  logs: 'show what containers wrote',
  stats: 'show what cgroups use',
  top: 'show it live',
  events: 'show what happens to cgroups as it happens',
  cp: 'copy files out of a container or into it',
  exec: 'run a command in a container',
  run: 'run a command in namespaces and limits of its own, and remove them afterwards',
  attach: 'connect to the terminal or the standard streams of a container',
  start: 'start containers that are not running',
  stop: 'stop containers',
  restart: 'stop containers and start them again',
  wait: 'wait until containers end and print their exit codes',
  pause: 'freeze containers or cgroups',
  unpause: 'let them run again',
  convert: 'write a stack that behaves as an OCI bundle',
  checkpoint: 'write a running container into files',
  restore: 'make a container again from a checkpoint',
  freeze: 'freeze a container or cgroup',
  thaw: 'let it run again',
  signal: 'send a signal to a container or cgroup',
  kill: 'end all processes of a container or cgroup at once',
  unlock: 'show who holds the lock of a stack',
  doctor: 'show what this kernel and these privileges allow',
  version: 'print the version',
};

/** Exit codes of errors that have one of their own. */
const EXITS: Readonly<Record<string, number>> = {
  TSB3004: EXIT.locked,
  TSB3006: EXIT.stale,
  TSB3012: EXIT.stale,
};

async function main(argv: readonly string[]): Promise<number> {
  const [name = 'help', ...rest] = argv;
  const { out, err, printError } = await import('./output.ts');
  if (name === 'help' || name === '--help' || name === '-h') {
    out(usage());
    return EXIT.ok;
  }
  const load = Object.hasOwn(COMMANDS, name === '--version' ? 'version' : name)
    ? COMMANDS[name === '--version' ? 'version' : name]
    : undefined;
  if (load === undefined) {
    err(`error[TSB2001]: no such command: ${JSON.stringify(name)}\n\n${usage()}`);
    return EXIT.error;
  }
  try {
    const { parseArguments } = await import('./args.ts');
    const { command } = await load();
    const args = parseArguments(rest, command.options);
    if (args.flags.help === true) {
      out(`${command.usage}\n\n${command.help}\n`);
      return EXIT.ok;
    }
    return await (command.streams === true && args.flags.json === true ? streamed(command, args) : command.run(args));
  } catch (error) {
    await printError(error);
    return EXITS[(error as { code?: string }).code ?? ''] ?? EXIT.error;
  }
}

/** Runs a command whose errors are told in the stream too. */
async function streamed(command: Command, args: Arguments): Promise<number> {
  try {
    return await command.run(args);
  } catch (error) {
    const { diagnosticLines } = await import('./diagnostic-lines.ts');
    const { out } = await import('./output.ts');
    out(diagnosticLines(error));
    throw error;
  }
}

function usage(): string {
  const width = Math.max(...Object.keys(SUMMARY).map((n) => n.length));
  const lines = Object.entries(SUMMARY).map(([name, text]) => `  ${name.padEnd(width)}  ${text}`);
  return `tsbox COMMAND [-f FILE]… [OPTION]…\n\n${lines.join('\n')}\n\ntsbox COMMAND --help tells more.\n`;
}

// A closed pipe (tsbox ps | head) is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.error);
});

void main(process.argv.slice(2)).then((code) => {
  if (code === EXIT.interrupted) {
    // What was given up may still be waiting for something.
    process.exit(code);
  }
  process.exitCode = code;
});
