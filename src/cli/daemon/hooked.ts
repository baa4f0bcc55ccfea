/** Events told on stdout and, where that is asked for, sent to a webhook. */
import type { Arguments } from '../args.ts';
import { teller, type Tell } from './happenings.ts';
import { Repeats } from './repeats.ts';
import { Webhook } from './webhook.ts';

export interface Hooked {
  readonly tell: Tell;
  /** Sends what waits, within a short time. */
  close(): Promise<void>;
}

/** @param failed told of an event that could not be sent */
export function hookedTeller(args: Arguments, failed: () => void): Hooked {
  const url = args.values.webhook;
  if (url === undefined) {
    return { tell: teller(args.flags.json === true), close: () => Promise.resolve() };
  }
  const hook = new Webhook(url, (message) => {
    failed();
    tell({ event: 'webhook_failed', message });
  });
  const repeats = new Repeats((line) => hook.send(line));
  const tell = teller(args.flags.json === true, (line, happening) => {
    // A message about a message that could not be sent would not be sent either.
    if (happening.event !== 'webhook_failed') {
      repeats.take(line, happening);
    }
  });
  return {
    tell,
    close: () => {
      repeats.close();
      return hook.close();
    },
  };
}
