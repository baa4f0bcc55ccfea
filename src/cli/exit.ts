/** Exit codes, as documented in docs/commands.md. */
export const EXIT = {
  ok: 0,
  error: 1,
  differences: 2,
  stale: 3,
  partial: 4,
  refused: 5,
  locked: 6,
  interrupted: 130,
} as const;

/** What run and exec end with as env(1) does: tsbox itself failed, the command cannot be run, there is no such command. */
export const RUN_EXIT = { failed: 125, notRunnable: 126, notFound: 127 } as const;

/** The exit code for a command that could not be executed, by its errno. */
export function notRun(errno: string | undefined): number {
  return errno === 'ENOENT' ? RUN_EXIT.notFound : RUN_EXIT.notRunnable;
}
