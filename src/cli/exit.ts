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
