/** Signals by name, as Linux numbers them on x86 and arm (signal(7)). */
import { meant, show, valueSchema, ValueError } from './values.ts';

export const SIGNALS: Readonly<Record<string, number>> = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ILL: 4,
  TRAP: 5,
  ABRT: 6,
  BUS: 7,
  FPE: 8,
  KILL: 9,
  USR1: 10,
  SEGV: 11,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
  STKFLT: 16,
  CHLD: 17,
  CONT: 18,
  STOP: 19,
  TSTP: 20,
  TTIN: 21,
  TTOU: 22,
  URG: 23,
  XCPU: 24,
  XFSZ: 25,
  VTALRM: 26,
  PROF: 27,
  WINCH: 28,
  IO: 29,
  PWR: 30,
  SYS: 31,
};

/** First and last real-time signal as the C library counts them. */
const RTMIN = 34;
const RTMAX = 64;
const EXPECTED = 'a signal by name (TERM, SIGINT, RTMIN+3) or by number (1 to 64)';

/** The number of a signal given as `TERM`, `SIGTERM`, `rtmin+3` or 15. Throws ValueError. */
export function parseSignal(input: unknown): number {
  if (typeof input === 'number' || (typeof input === 'string' && /^\d{1,3}$/.test(input))) {
    const number = Number(input);
    if (Number.isInteger(number) && number >= 1 && number <= RTMAX) {
      return number;
    }
    throw new ValueError(`${show(input)} is not a signal`, EXPECTED);
  }
  if (typeof input !== 'string') {
    throw new ValueError(`${show(input)} is not a signal`, EXPECTED);
  }
  const name = input.toUpperCase().replace(/^SIG/, '');
  const realTime = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  const number =
    realTime === null ? (Object.hasOwn(SIGNALS, name) ? SIGNALS[name] : undefined) : realTimeNumber(realTime);
  if (number === undefined || number > RTMAX || (realTime !== null && number < RTMIN)) {
    throw new ValueError(`${show(input)} is not a signal`, EXPECTED, meant(name, Object.keys(SIGNALS)));
  }
  return number;
}

function realTimeNumber(match: RegExpExecArray): number {
  const offset = Number(match[3] ?? 0);
  return (match[1] === 'MIN' ? RTMIN : RTMAX) + (match[2] === '-' ? -offset : offset);
}

/** 'TERM' for 15, 'RTMIN+3' for 37, the number itself for one without a name. */
export function signalName(number: number): string {
  const name = Object.keys(SIGNALS).find((key) => SIGNALS[key] === number);
  if (name !== undefined) {
    return name;
  }
  return number >= RTMIN && number <= RTMAX ? `RTMIN${number === RTMIN ? '' : `+${number - RTMIN}`}` : String(number);
}

export const signalSchema = valueSchema(parseSignal, { type: ['string', 'integer'], examples: ['TERM', 'SIGINT', 15] });
