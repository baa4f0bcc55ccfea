/** `healthcheck:` of a container. */
import * as z from 'zod';
import {
  HEALTH_ACTIONS,
  HEALTH_TEXT_MOST,
  healthText,
  parseHealthText,
  type HealthSettings,
  type HealthTest,
} from '../../kernel/health-text.ts';
import type { RunState } from '../../kernel/run-state.ts';
import type { Attribute, Value } from '../attribute.ts';
import type { Step } from '../step.ts';
import { durationSchema, formatDuration } from '../units.ts';
import { show, valueSchema, ValueError } from '../values.ts';
import { commandSchema } from './command.ts';
import { absolutePathSchema, boundedCount } from './fields.ts';

/** null: no checks. */
export type HealthSpec = HealthSettings | null;

const ADDRESS = z.union([z.ipv4(), z.ipv6()]);
const HOST_EXPECTED = 'an IP address or localhost';

function checkHost(input: unknown): string {
  if (typeof input !== 'string' || (input !== 'localhost' && !ADDRESS.safeParse(input).success)) {
    const hint = typeof input === 'string' ? 'names are not looked up: the check runs beside the container' : undefined;
    throw new ValueError(`${show(input)} is not a host`, HOST_EXPECTED, hint);
  }
  return input;
}

const hostSchema = valueSchema(checkHost, { type: 'string', examples: ['localhost', '127.0.0.1', '::1'] });
const portSchema = boundedCount('port', 1, 65535);

const requestPath = valueSchema(
  (input): string => {
    if (typeof input !== 'string' || !/^\/[\x21-\x7e]{0,2000}$/.test(input)) {
      throw new ValueError(`${show(input)} is not the path of a request`, 'a path that begins with /, without blanks');
    }
    return input;
  },
  { type: 'string', pattern: '^/' },
);

/** 'http://HOST[:PORT][/PATH]' */
const urlSchema = valueSchema(
  (input): HealthTest => {
    const expected = 'a URL such as http://localhost:8080/health, or { port, path, host, status }';
    const match = typeof input === 'string' ? /^(https?):\/\/(\[[^\]]+\]|[^/:]+)(?::(\d+))?(\/.*)?$/.exec(input) : null;
    if (match === null) {
      throw new ValueError(`${show(input)} is not a URL`, expected);
    }
    if (match[1] === 'https') {
      throw new ValueError(`${show(input)} asks for TLS`, expected, 'for https write a command such as curl');
    }
    const port = Number(match[3] ?? 80);
    if (port < 1 || port > 65535) {
      throw new ValueError(`${port} is not a usable port`, 'a whole number from 1 to 65535');
    }
    const path = match[4] ?? '/';
    if (!/^\/[\x21-\x7e]{0,2000}$/.test(path)) {
      throw new ValueError(`${show(path)} is not the path of a request`, expected);
    }
    return { kind: 'http', host: checkHost((match[2] ?? '').replace(/^\[|\]$/g, '')), port, path, status: 0 };
  },
  { type: 'string', examples: ['http://localhost:8080/health'] },
);

const httpSchema = z.union([
  urlSchema,
  z
    .strictObject({
      port: portSchema,
      path: requestPath.optional(),
      host: hostSchema.optional(),
      status: boundedCount('status', 100, 599).optional(),
    })
    .transform(({ port, path = '/', host = 'localhost', status = 0 }): HealthTest => ({
      kind: 'http',
      host,
      port,
      path,
      status,
    })),
]);

const tcpSchema = valueSchema(
  (input): HealthTest => {
    const given = typeof input === 'number' || typeof input === 'string' ? String(input) : '';
    const text = /^(?:(\[[^\]]+\]|[^:]+):)?(\d{1,5})$/.exec(given);
    const port = Number(text?.[2] ?? 0);
    if (text === null || port < 1 || port > 65535) {
      throw new ValueError(`${show(input)} is not a TCP port`, 'PORT or HOST:PORT');
    }
    return { kind: 'tcp', host: checkHost((text[1] ?? 'localhost').replace(/^\[|\]$/g, '')), port };
  },
  { type: ['string', 'integer'], examples: [5432, '127.0.0.1:5432'] },
);

const KINDS = ['command', 'http', 'tcp', 'file'] as const;
const KINDS_TEXT = 'one of command, http, tcp, file';

const positiveDuration = durationSchema.superRefine((ms, context) => {
  if (ms < 1) {
    context.addIssue({ code: 'custom', message: 'the duration is zero', params: { expected: 'at least 1ms' } });
  }
});

const healthcheckSchema = z
  .strictObject({
    command: commandSchema.optional(),
    http: httpSchema.optional(),
    tcp: tcpSchema.optional(),
    file: absolutePathSchema.optional(),
    interval: positiveDuration.optional(),
    timeout: positiveDuration.optional(),
    retries: boundedCount('number of retries', 1, 1_000_000).optional(),
    start_period: durationSchema.optional(),
    start_interval: positiveDuration.optional(),
    action: z.enum(HEALTH_ACTIONS).optional(),
    disable: z.boolean().optional(),
  })
  .superRefine((given, context) => {
    const tests = KINDS.filter((kind) => given[kind] !== undefined);
    if (given.disable !== true && tests.length !== 1) {
      const message =
        tests.length === 0 ? 'the health check looks at nothing' : `${tests.join(' and ')} are two checks`;
      context.addIssue({
        code: 'custom',
        path: tests.length === 0 ? [] : [tests[1] ?? ''],
        message,
        params: { expected: KINDS_TEXT },
      });
    }
  })
  .transform((given, context): HealthSpec => {
    const test = testOf(given);
    if (given.disable === true || test === undefined) {
      return null;
    }
    const spec: HealthSettings = {
      test,
      interval: given.interval ?? 30_000,
      timeout: given.timeout ?? 30_000,
      retries: given.retries ?? 3,
      startPeriod: given.start_period ?? 0,
      startInterval: given.start_interval ?? 5000,
      action: given.action ?? 'report',
    };
    if (Buffer.byteLength(healthText(spec)) > HEALTH_TEXT_MOST) {
      const expected = `at most ${HEALTH_TEXT_MOST / 1024} KiB`;
      context.addIssue({ code: 'custom', path: ['command'], message: 'the command is too long', params: { expected } });
    }
    return spec;
  });

function testOf(given: {
  readonly command?: readonly string[] | undefined;
  readonly http?: HealthTest | undefined;
  readonly tcp?: HealthTest | undefined;
  readonly file?: string | undefined;
}): HealthTest | undefined {
  if (given.command !== undefined) {
    return { kind: 'command', argv: given.command };
  }
  return given.http ?? given.tcp ?? (given.file === undefined ? undefined : { kind: 'file', path: given.file });
}

/** The field of `containers:` items. */
export const healthShape = { healthcheck: healthcheckSchema.optional() };

export const HEALTH_ATTRIBUTES: readonly Attribute[] = [
  {
    name: 'healthcheck',
    change: 'in-place',
    observed: 'live',
    default: 'none',
    doc: 'what its supervisor looks at to know whether it works, how often, and what it then does',
    source: 'docs/stack-language.md',
  },
  {
    name: 'health',
    change: 'restart',
    observed: 'live',
    doc: 'what the health checks have found: starting, healthy or unhealthy',
    source: 'docs/stack-language.md',
    // Whether a container without a health is well is told by its state.
    satisfied: (_, live) => live !== 'unhealthy',
  },
];

function settingsValue(text: string): Value {
  const settings = parseHealthText(text);
  return settings === undefined
    ? 'none'
    : Object.fromEntries(
        Object.entries(settings).map(([key, value]) => [
          key,
          DURATIONS.has(key) && /^\d{1,15}$/.test(value) ? formatDuration(Number(value)) : value,
        ]),
      );
}

const DURATIONS: ReadonlySet<string> = new Set(['interval', 'timeout', 'start_period', 'start_interval']);

export function desiredHealth(spec: HealthSpec): Record<string, Value> {
  return spec === null ? { healthcheck: 'none' } : { healthcheck: settingsValue(healthText(spec)), health: 'healthy' };
}

/** @param text of the settings' xattr, where there is one */
export function liveHealth(text: string | undefined, run: RunState | undefined): Record<string, Value> {
  return {
    healthcheck: text === undefined ? 'none' : settingsValue(text),
    health: run?.health ?? 'none',
  };
}

/** Hands settings to a supervisor. */
export function healthSteps(path: string, spec: HealthSpec): Step[] {
  return [{ op: 'health', path, text: spec === null ? null : healthText(spec) }];
}
