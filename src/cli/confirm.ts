/** Asking before something is changed. */
import { createInterface } from 'node:readline/promises';
import { TsboxError } from '../errors.ts';
import type { Plan } from '../planner/plan.ts';
import { err } from './output.ts';

/** Asks on the terminal; only 'yes' is a yes, and 'details' shows each step of a plan and asks again. */
export async function confirm(
  what: string,
  plan: Plan | undefined,
  asked = `Do you want to ${what} these changes?`,
): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new TsboxError('TSB2001', `${what} asks before it changes anything, and there is no terminal to ask on`, {
      hint: 'look at the plan, then give --auto-approve',
    });
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  // Without this, ctrl-c at the prompt would leave the question open for ever.
  const ended = new AbortController();
  terminal.on('close', () => ended.abort());
  try {
    for (;;) {
      const more = plan === undefined ? '' : "; 'details' shows each step";
      const question = `\n${asked} Only 'yes' is taken${more}: `;
      const answer = (await terminal.question(question, { signal: ended.signal })).trim();
      if (answer !== 'details' || plan === undefined) {
        return answer === 'yes';
      }
      const { stepLines } = await import('../report/steps-text.ts');
      err(`${stepLines(plan).join('\n')}\n`);
    }
  } catch (error) {
    if ((error as Error).name === 'AbortError') {
      err('\n');
      return false;
    }
    throw error;
  } finally {
    terminal.close();
  }
}
