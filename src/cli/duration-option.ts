/** Times on the command line: 90, 90s, 5m, 1h30m. */
import { TsboxError } from '../errors.ts';
import { formatDuration, parseDuration } from '../resources/units.ts';
import type { Arguments, OptionName } from './args.ts';

/** Milliseconds; a number alone is seconds. */
export function durationOption(
  args: Arguments,
  name: OptionName,
  fallback: number,
  least: number,
  most: number,
): number {
  const text = args.values[name];
  if (text === undefined) {
    return fallback;
  }
  const ms = durationIn(text);
  if (ms === undefined || ms < least || ms > most) {
    const range = `from ${formatDuration(least)} to ${formatDuration(most)}`;
    throw new TsboxError('TSB2001', `--${name} must be a time ${range}, not '${text}'`);
  }
  return ms;
}

function durationIn(text: string): number | undefined {
  try {
    return parseDuration(/^\d+$/.test(text) ? `${text}s` : text);
  } catch {
    return undefined;
  }
}
