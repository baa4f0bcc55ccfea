/** Asking before something is changed. */
import { createInterface } from 'node:readline/promises';
import { TsboxError } from '../errors.ts';

/** Asks on the terminal; only 'yes' is a yes. */
export async function confirm(what: string, question = `Do you want to ${what} these changes?`): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new TsboxError('TSB2001', `${what} asks before it changes anything, and there is no terminal to ask on`, {
      hint: 'look at the plan, then give --auto-approve',
    });
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`\n${question} Only 'yes' is taken: `);
    return answer.trim() === 'yes';
  } finally {
    terminal.close();
  }
}
