/** `log:` of a container: where what it writes goes. */
import * as z from 'zod';
import { TsboxError } from '../../errors.ts';
import type { SuperviseSpec } from '../../kernel/init-spec.ts';
import type { KernelReader } from '../../kernel/reader.ts';
import type { Problem } from '../kind.ts';
import { bytesSchema } from '../units.ts';
import { meant, show, valueSchema, ValueError } from '../values.ts';
import { boundedCount } from './fields.ts';

const DRIVERS = ['file', 'none', 'journald'] as const;
type Driver = (typeof DRIVERS)[number];

export interface LogSpec {
  readonly driver: Driver;
  /** Bytes at which a file is rotated; and how many there are, the current one included. */
  readonly maxSize: number;
  readonly files: number;
  /** Of systemd-journald@NAME.service, '' for the journal of the machine. */
  readonly namespace: string;
}

const driver = valueSchema(
  (input): Driver => {
    const word = DRIVERS.find((d) => d === input);
    if (word === undefined) {
      const hint = input === 'json-file' || input === 'local' ? 'file is in the CRI format' : meant(input, DRIVERS);
      throw new ValueError(`${show(input)} does not say where output goes`, DRIVERS.join(', '), hint);
    }
    return word;
  },
  { enum: DRIVERS },
);

const logMap = z
  .strictObject({
    driver: driver.optional(),
    max_size: bytesSchema.optional(),
    files: boundedCount('number of log files', 1, 100).optional(),
    namespace: z
      .string()
      .regex(/^[A-Za-z0-9_.-]{1,64}$/)
      .optional(),
  })
  .superRefine((log, context) => {
    const kind = log.driver ?? 'file';
    const owners = { max_size: 'file', files: 'file', namespace: 'journald' } as const;
    for (const key of ['max_size', 'files', 'namespace'] as const) {
      if (log[key] !== undefined && owners[key] !== kind) {
        const message = `${key} is a setting of driver: ${owners[key]}`;
        context.addIssue({ code: 'custom', path: [key], message, params: { expected: `no ${key}, or that driver`, at: 'key' } }); // prettier-ignore
      }
    }
  });

export const logSchema = z.union([driver.transform((word) => ({ driver: word })), logMap]);
export type LogInput = z.output<typeof logMap>;

export function logOf(input: LogInput | undefined): LogSpec {
  return {
    driver: input?.driver ?? 'file',
    maxSize: input?.max_size ?? 10 * 1024 * 1024,
    files: input?.files ?? 3,
    namespace: input?.namespace ?? '',
  };
}

/** As the plan writes it. */
export function logText(log: LogSpec): string {
  const { maxSize, files, namespace } = log;
  return log.driver === 'file'
    ? `max_size=${maxSize} files=${files}`
    : `${log.driver}${namespace === '' ? '' : ` namespace=${namespace}`}`;
}

/** The socket that systemd-journald.service(8) listens on for its native protocol. */
function journalSocket(namespace: string): string {
  return `/run/systemd/journal${namespace === '' ? '' : `.${namespace}`}/socket`;
}

/** Tells of a journal that is not there. */
export function checkLog(
  log: LogSpec,
  reader: KernelReader,
  address: string,
  report: (problem: Problem) => void,
  at: Problem['error']['info']['at'],
): void {
  const socket = journalSocket(log.namespace);
  if (log.driver === 'journald' && typeof reader.stats([socket])[0] !== 'object') {
    const message = `${address}: there is no ${log.namespace === '' ? 'journal' : `journal namespace ${log.namespace}`} here: ${socket} is missing`;
    const hint =
      log.namespace === '' ? 'log: file keeps one of our own' : `systemctl start systemd-journald@${log.namespace}`;
    report({ severity: 'error', error: new TsboxError('TSB1009', message, { at, address, hint }) });
  }
}

/** What a supervisor does with output that no file keeps. Field names are those of other runtimes' journald drivers. */
export function outputOf(log: LogSpec, stack: string, name: string): SuperviseSpec['output'] {
  if (log.driver === 'file') {
    return undefined;
  }
  const fields = {
    SYSLOG_IDENTIFIER: name,
    CONTAINER_NAME: name,
    CONTAINER_TAG: `${stack}/${name}`,
    TSBOX_STACK: stack,
    TSBOX_ADDRESS: `container/${name}`,
  };
  const text = Object.entries(fields).map(([key, value]) => `${key}=${value}\n`);
  return log.driver === 'none'
    ? { journal: '', fields: '' }
    : { journal: journalSocket(log.namespace), fields: text.join('') };
}

/** Where output that is in no file has gone, from the text of an applied log; undefined for a file. */
export function logElsewhere(applied: string, name: string): string | undefined {
  if (applied === 'none') {
    return 'log: none keeps nothing of what it writes';
  }
  const [, namespace] = /^journald(?: namespace=(.*))?$/.exec(applied) ?? [];
  return applied.startsWith('journald')
    ? `it is in the journal: journalctl ${namespace === undefined ? '' : `--namespace=${namespace} `}CONTAINER_NAME=${name}`
    : undefined;
}
