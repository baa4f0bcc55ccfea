/** Every command: what it does in one line, and its module, loaded by whoever runs it. */
import type { Arguments, OptionName } from './args.ts';

export interface Command {
  /** The options it takes besides those of every command. */
  readonly options: readonly OptionName[];
  /** Usage line and what it does, for --help; options, examples and exit codes are added by help.ts. */
  readonly usage: string;
  readonly help: string;
  /** How many words it takes that belong to no option; any number when left out. */
  readonly words?: number;
  /** With --json or --json-into it writes an event stream, and errors are events of it. */
  readonly streams?: boolean;
  run(args: Arguments): Promise<number>;
}

interface Row {
  readonly summary: string;
  load(): Promise<{ readonly command: Command }>;
}

/** In the order of the list that `tsbox help` prints. */
export const COMMANDS: Readonly<Record<string, Row>> = {
  validate: {
    summary: 'check stack files; needs no privileges',
    load: () => import('./commands/validate.ts'),
  },
  plan: {
    summary: 'show what apply would change',
    load: () => import('./commands/plan.ts'),
  },
  test: {
    summary: 'run the tests of stacks: against recorded kernels, or in a place of their own',
    load: () => import('./commands/test.ts'),
  },
  apply: {
    summary: 'make the kernel match the stack',
    load: () => import('./commands/apply.ts'),
  },
  drift: {
    summary: 'show what changed since the last apply',
    load: () => import('./commands/drift.ts'),
  },
  destroy: {
    summary: 'remove everything the stack made',
    load: () => import('./commands/destroy.ts'),
  },
  ps: {
    summary: 'list containers',
    load: () => import('./commands/ps.ts'),
  },
  show: {
    summary: 'show a resource as it is now',
    load: () => import('./commands/show.ts'),
  },
  import: {
    summary: 'write a stack that describes an existing cgroup',
    load: () => import('./commands/import.ts'),
  },
  logs: {
    summary: 'show what containers wrote',
    load: () => import('./commands/logs.ts'),
  },
  stats: {
    summary: 'show what cgroups use',
    load: () => import('./commands/stats.ts'),
  },
  top: {
    summary: 'show it live',
    load: () => import('./commands/top.ts'),
  },
  events: {
    summary: 'show what happens to cgroups as it happens',
    load: () => import('./commands/events.ts'),
  },
  cp: {
    summary: 'copy files out of a container or into it',
    load: () => import('./commands/cp.ts'),
  },
  exec: {
    summary: 'run a command in a container',
    load: () => import('./commands/exec.ts'),
  },
  run: {
    summary: 'run a command in namespaces and limits of its own, and remove them afterwards',
    load: () => import('./commands/run.ts'),
  },
  attach: {
    summary: 'connect to the terminal or the standard streams of a container',
    load: () => import('./commands/attach.ts'),
  },
  start: {
    summary: 'start containers that are not running',
    load: () => import('./commands/start.ts'),
  },
  stop: {
    summary: 'stop containers',
    load: () => import('./commands/stop.ts'),
  },
  restart: {
    summary: 'stop containers and start them again',
    load: () => import('./commands/restart.ts'),
  },
  wait: {
    summary: 'wait until containers end and print their exit codes',
    load: () => import('./commands/wait.ts'),
  },
  pause: {
    summary: 'freeze containers or cgroups',
    load: () => import('./commands/pause.ts'),
  },
  unpause: {
    summary: 'let them run again',
    load: () => import('./commands/unpause.ts'),
  },
  images: {
    summary: 'list stored images and who uses them; `images prune` removes the others',
    load: () => import('./commands/images.ts'),
  },
  unlock: {
    summary: 'show who holds the lock of a stack',
    load: () => import('./commands/unlock.ts'),
  },
  graph: {
    summary: 'draw a stack: cgroups and limits, namespaces, volumes, dependencies',
    load: () => import('./commands/graph.ts'),
  },
  fmt: {
    summary: 'write stack files in one style; keeps comments',
    load: () => import('./commands/fmt.ts'),
  },
  convert: {
    summary: 'write a stack from a Compose file or an OCI bundle',
    load: () => import('./commands/convert.ts'),
  },
  checkpoint: {
    summary: 'write a running container into files',
    load: () => import('./commands/checkpoint.ts'),
  },
  restore: {
    summary: 'make a container again from a checkpoint',
    load: () => import('./commands/restore.ts'),
  },
  freeze: {
    summary: 'freeze a container or cgroup',
    load: () => import('./commands/freeze.ts'),
  },
  thaw: {
    summary: 'let it run again',
    load: () => import('./commands/thaw.ts'),
  },
  signal: {
    summary: 'send a signal to a container or cgroup',
    load: () => import('./commands/signal.ts'),
  },
  kill: {
    summary: 'end all processes of a container or cgroup at once',
    load: () => import('./commands/kill.ts'),
  },
  own: {
    summary: 'claim attributes of a live cgroup or container for another program',
    load: () => import('./commands/own.ts'),
  },
  doctor: {
    summary: 'show what this kernel and these privileges allow',
    load: () => import('./commands/doctor.ts'),
  },
  watch: {
    summary: 'notice drift as it happens, and heal it where told to',
    load: () => import('./commands/watch.ts'),
  },
  reconcile: {
    summary: 'keep the stacks of a git repository applied',
    load: () => import('./commands/reconcile.ts'),
  },
  completion: {
    summary: 'print what completes tsbox in bash, zsh or fish',
    load: () => import('./commands/completion.ts'),
  },
  version: {
    summary: 'print the version',
    load: () => import('./commands/version.ts'),
  },
};
