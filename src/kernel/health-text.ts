/** Health checks as text in extended attributes: the settings that a supervisor reads, and what it found. */
import { parseFields } from './fields-text.ts';

/** What a check looks at. */
export type HealthTest =
  | { readonly kind: 'command'; readonly argv: readonly string[] }
  | {
      readonly kind: 'http';
      /** An IP address or 'localhost'. */
      readonly host: string;
      readonly port: number;
      readonly path: string;
      /** 0 accepts 200 to 399. */
      readonly status: number;
    }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  /** A path inside the container's root. */
  | { readonly kind: 'file'; readonly path: string };

export const HEALTH_ACTIONS = ['report', 'restart', 'stop'] as const;
export type HealthAction = (typeof HEALTH_ACTIONS)[number];

/** Durations in ms, with the meaning they have in the Compose specification. */
export interface HealthSettings {
  readonly test: HealthTest;
  readonly interval: number;
  readonly timeout: number;
  readonly retries: number;
  readonly startPeriod: number;
  readonly startInterval: number;
  readonly action: HealthAction;
}

/** The longest text that the supervisor takes, bytes. */
export const HEALTH_TEXT_MOST = 16 * 1024;

/** The text of the settings: 'kind=… interval=… …\n', then arguments, each ended by a NUL. */
export function healthText(h: HealthSettings): string {
  const settings =
    `kind=${h.test.kind} interval=${h.interval} timeout=${h.timeout} retries=${h.retries}` +
    ` start_period=${h.startPeriod} start_interval=${h.startInterval} action=${h.action}`;
  return `${settings}\n${testArguments(h.test)
    .map((a) => `${a}\0`)
    .join('')}`;
}

function testArguments(test: HealthTest): readonly string[] {
  switch (test.kind) {
    case 'command':
      return test.argv;
    case 'http':
      return [addressHex(test.host), hostHeader(test.host), String(test.port), test.path, String(test.status)];
    case 'tcp':
      return [addressHex(test.host), hostHeader(test.host), String(test.port)];
    case 'file':
      return [test.path];
  }
}

/** An IPv6 address stands in brackets before a port (RFC 3986, section 3.2.2). */
function hostHeader(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** Hexadecimal digits of an IP address, 8 or 32 of them; 'localhost' is 127.0.0.1. */
export function addressHex(host: string): string {
  const address = host === 'localhost' ? '127.0.0.1' : host;
  const hex = (n: number, width: number): string => n.toString(16).padStart(width, '0');
  if (!address.includes(':')) {
    return address
      .split('.')
      .map((part) => hex(Number(part), 2))
      .join('');
  }
  const v4 = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const plain =
    v4 === null
      ? address
      : `${address.slice(0, v4.index)}${hex(Number(v4[1]) * 256 + Number(v4[2]), 4)}:${hex(Number(v4[3]) * 256 + Number(v4[4]), 4)}`;
  const [left = '', right] = plain.split('::');
  const groups = (text: string | undefined): string[] => (text ?? '').split(':').filter((g) => g !== '');
  const before = groups(left);
  const after = groups(right);
  const zeros = Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0');
  return [...before, ...zeros, ...after].map((g) => g.padStart(4, '0')).join('');
}

/** The settings as they are in force, by the names of the stack language; undefined for a text that is none. */
export function parseHealthText(text: string): Readonly<Record<string, string>> | undefined {
  const end = text.indexOf('\n');
  const fields = parseFields(text.slice(0, Math.max(end, 0)));
  const args = text
    .slice(end + 1)
    .split('\0')
    .slice(0, -1);
  const { kind = '', ...settings } = fields;
  const test = testText(kind, args);
  return end < 0 || test === undefined ? undefined : { [kind]: test, ...settings };
}

function testText(kind: string, args: readonly string[]): string | undefined {
  const [first = '', second = '', third = '', fourth = '', fifth = '0'] = args;
  switch (kind) {
    case 'command':
      return JSON.stringify(args);
    case 'http':
      return `http://${second}:${third}${fourth}${fifth === '0' ? '' : ` status ${fifth}`}`;
    case 'tcp':
      return `${second}:${third}`;
    case 'file':
      return first;
    default:
      return undefined;
  }
}

/** The last check of a container. */
export interface ProbeResult {
  readonly atMs: number;
  readonly tookMs: number;
  readonly ok: boolean;
  /** Exit code of a command, status of a response, errno of what failed. */
  readonly code: number;
  /** The first line that came out of it. */
  readonly line: string;
}

export function parseProbe(text: string): ProbeResult | undefined {
  const match = /^at=(\d+) took=(\d+) ok=([01]) code=(-?\d+) ([^]*)$/.exec(text);
  return match === null
    ? undefined
    : {
        atMs: Number(match[1]),
        tookMs: Number(match[2]),
        ok: match[3] === '1',
        code: Number(match[4]),
        line: match[5] ?? '',
      };
}
