/** Events of what runs unattended: a line each on stdout, as JSON or for people, and to whoever else listens. */
import { escapeControls } from '../../report/values.ts';
import { masked, out } from '../output.ts';

export interface Happening {
  readonly event: string;
  readonly stack?: string | undefined;
  /** What people read. */
  readonly message: string;
  readonly [field: string]: unknown;
}

export type Tell = (happening: Happening) => void;

/** @param also is given the same line of JSON, secrets masked */
export function teller(json: boolean, also?: (line: string, happening: Happening) => void): Tell {
  return (happening) => {
    const time = new Date().toISOString();
    const { event, stack, message, ...rest } = happening;
    const line = masked(JSON.stringify({ time, event, ...(stack === undefined ? {} : { stack }), message, ...rest }));
    out(
      json ? `${line}\n` : `${time}  ${(stack ?? '-').padEnd(12)}  ${event.padEnd(13)}  ${escapeControls(message)}\n`,
    );
    also?.(line, happening);
  };
}
