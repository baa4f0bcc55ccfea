/** `hooks` of a bundle. */
import type { Fields } from './fields.ts';

/** Where each kind runs and when, in the words of the stack language. */
export function convertHooks(config: Fields, out: Record<string, unknown>): void {
  const hooks = config.object('hooks');
  if (hooks === undefined) {
    return;
  }
  void out;
  hooks.finish('hooks are not carried over');
}
