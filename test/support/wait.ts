/** Waiting in tests: bounds on patience, never measurements. */

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const PATIENCE = 150_000;

/** Waits until it holds; throws with what never came. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + PATIENCE; Date.now() < deadline; await pause(20)) {
    if (await holds()) {
      return;
    }
  }
  throw new Error(`${what} never came`);
}
