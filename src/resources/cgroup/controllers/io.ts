/** The io controller, blkio on v1 (cgroup-v2.rst, "IO"; cgroup-v1/blkio-controller.rst; block/bfq-iosched.rst). */
import * as z from 'zod';
import { parseBytes, parseMicroseconds, wholeNumber } from '../../units.ts';
import { meant, show, valueSchema, ValueError } from '../../values.ts';
import { flat, flatKeyed, lines, nestedKeyed } from '../keyed.ts';
import { entriesOf, plainFile, type FileWrite, type Knob, type KnobFiles, type KnobSection } from '../knob.ts';
import { keysFit, numberWithin, oneOf } from '../schemas.ts';

const PRIORITY_CLASSES = ['no-change', 'promote-to-rt', 'restrict-to-be', 'idle'];

const LIMITS = ['rbps', 'wbps', 'riops', 'wiops'] as const;

/** Which throttle file of v1 holds a limit. */
const THROTTLE: Readonly<Record<string, string>> = {
  rbps: 'blkio.throttle.read_bps_device',
  wbps: 'blkio.throttle.write_bps_device',
  riops: 'blkio.throttle.read_iops_device',
  wiops: 'blkio.throttle.write_iops_device',
};

const throttles: KnobFiles = {
  files: LIMITS.map((l) => THROTTLE[l] ?? ''),
  parse: (texts) => {
    if (texts.every((t) => t === undefined)) {
      return undefined;
    }
    const value: Record<string, string> = {};
    LIMITS.forEach((limit, i) => {
      for (const [device, amount] of Object.entries(flat(texts[i] ?? ''))) {
        value[`${device} ${limit}`] = amount;
      }
    });
    return value;
  },
  // Zero takes a limit away (blkio-controller.rst).
  format: (value) =>
    entriesOf(value).map(([key, text]): FileWrite => {
      const [device = '', limit = ''] = key.split(' ');
      return { file: THROTTLE[limit] ?? '', data: `${device} ${text === 'max' ? '0' : text}` };
    }),
};

/** How a weight of 1 to 10000 (100 when nobody sets it) is kept in a narrower scale. */
interface Scale {
  readonly to: (weight: string) => string;
  readonly from: (text: string) => string;
}

/**
 * BFQ's weights are 1 to 1000 with 100 as the default: up to there one to one, above in proportion, as systemd has it
 * (src/shared/bpf-program, "BFQ_WEIGHT"), so that the default stays the default.
 */
export const BFQ: Scale = {
  to: (weight) => {
    const w = Number(weight);
    return String(w <= 100 ? w : 100 + Math.round(((w - 100) * 900) / 9900));
  },
  from: (text) => {
    const w = Number(text);
    return String(w <= 100 ? w : 100 + Math.round(((w - 100) * 9900) / 900));
  },
};

/** CFQ's blkio.weight is 10 to 1000: the linear conversion of the OCI runtimes, 1 + (x - 10) * 9999 / 990. */
export const CFQ: Scale = {
  to: (weight) => String(10 + Math.round(((Number(weight) - 1) * 990) / 9999)),
  from: (text) => String(Math.max(1, 1 + Math.floor(((Number(text) - 10) * 9999) / 990))),
};

function rounded(scale: Scale): (value: string) => string {
  return (value) => (value === 'default' ? value : scale.from(scale.to(value)));
}

/** A weight file and a file of exceptions per device. */
function blkioWeights(file: string, devices: string, none: '0' | 'default', symbol: string, scale: Scale): KnobFiles {
  return {
    files: [file, devices],
    conditional: symbol,
    parse: ([plain, text]) => {
      const weight = /(\d+)\s*$/.exec(plain?.trim().split('\n')[0] ?? '')?.[1];
      if (weight === undefined) {
        return undefined;
      }
      const value: Record<string, string> = { default: scale.from(weight) };
      for (const [device = '', amount = ''] of lines(text ?? '')) {
        if (device.includes(':') && /^\d+$/.test(amount)) {
          value[device] = scale.from(amount);
        }
      }
      return value;
    },
    format: (value) =>
      entriesOf(value).map(([key, text]) =>
        key === 'default'
          ? { file, data: scale.to(text) }
          : { file: devices, data: `${key} ${text === 'default' ? none : scale.to(text)}` },
      ),
    normalise: rounded(scale),
  };
}

/** io.bfq.weight of v2 is one file: a default line and exceptions. */
const bfqWeight: KnobFiles = {
  files: ['io.bfq.weight'],
  conditional: 'bfq_io_set_weight',
  parse: ([text]) => {
    if (text === undefined) {
      return undefined;
    }
    const value: Record<string, string> = {};
    for (const [first = '', second] of lines(text)) {
      // A kernel without exceptions prints the number alone.
      const [key, amount] = second === undefined ? ['default', first] : [first, second];
      value[key] = BFQ.from(amount);
    }
    return value;
  },
  format: (value) =>
    entriesOf(value).map(([key, text]) => ({
      file: 'io.bfq.weight',
      data: key === 'default' ? BFQ.to(text) : `${key} ${text === 'default' ? 'default' : BFQ.to(text)}`,
    })),
  normalise: rounded(BFQ),
};

const base = { controller: 'io', v1Controller: 'blkio', yaml: ['io'], default: {}, unit: 'none' } as const;

export const io: readonly Knob[] = [
  {
    ...base,
    name: 'io.weight',
    keys: 'device',
    keyDefault: (key) => (key === 'default' ? '100' : 'default'),
    v2: flatKeyed('io.weight', { conditional: 'ioc_weight_write' }),
    v2Else: bfqWeight,
    v1: blkioWeights('blkio.bfq.weight', 'blkio.bfq.weight_device', 'default', 'bfq_io_set_weight', BFQ),
    v1Else: blkioWeights('blkio.weight', 'blkio.weight_device', '0', 'cfq_set_weight', CFQ),
    doc: 'share of the device among siblings, 1 to 10000; by device where one differs',
    source: 'cgroup-v2.rst, io.weight; block/bfq-iosched.rst; cgroup-v1/blkio-controller.rst',
  },
  {
    ...base,
    name: 'io.max',
    keys: 'device',
    keyDefault: () => 'max',
    v2: nestedKeyed('io.max', { names: LIMITS }),
    v1: throttles,
    doc: 'bytes and operations per second, by device; v1 limits buffered writes only where the page cache accounts them',
    source: 'cgroup-v2.rst, io.max; cgroup-v1/blkio-controller.rst, throttling',
  },
  {
    ...base,
    name: 'io.latency',
    keys: 'device',
    keyDefault: () => 'max',
    v2: {
      ...nestedKeyed('io.latency', { since: '4.19', conditional: 'iolatency_set_limit', names: ['target'] }),
    },
    v1: undefined,
    doc: 'latency to protect, microseconds, by device: others are throttled while it is missed',
    source: 'cgroup-v2.rst, io.latency',
  },
  {
    ...base,
    name: 'io.prio.class',
    yaml: ['io', 'priority_class'],
    // The section reads it: `io` holds devices besides.
    default: 'no-change',
    v2: plainFile('io.prio.class', { since: '5.14', conditional: 'ioprio_set_prio_policy' }),
    v1: plainFile('blkio.prio.class', { since: '5.14', conditional: 'ioprio_set_prio_policy' }),
    doc: 'priority class that its requests get',
    source: 'cgroup-v2.rst, io.prio.class',
  },
];

const DEVICE_EXPECTED = "a block device: a path such as /dev/sda, or MAJOR:MINOR in quotes such as '8:0'";

const weight = numberWithin('weight', 1, 10_000, [100, 500]);

/** Bytes or operations per second, or 'max'. The kernel refuses zero. */
function rate(bytes: boolean): z.ZodType<string> {
  const expected = bytes ? "bytes per second such as 50MiB, or 'max'" : "operations per second such as 1000, or 'max'";
  return valueSchema(
    (input) => {
      if (input === 'max') {
        return 'max';
      }
      if (!bytes && typeof input !== 'number') {
        throw new ValueError(`${show(input)} is not a rate`, expected);
      }
      const amount = bytes ? parseBytes(input) : wholeNumber(input as number, 'rate', expected);
      if (amount === 0) {
        throw new ValueError('a rate of 0 would stop the device for good, and the kernel refuses it', expected);
      }
      return String(amount);
    },
    { type: ['string', 'integer'], examples: bytes ? ['50MiB', 'max'] : [1000, 'max'] },
  );
}

const deviceLimits = z.strictObject({
  rbps: rate(true).optional(),
  wbps: rate(true).optional(),
  riops: rate(false).optional(),
  wiops: rate(false).optional(),
  weight: weight.optional(),
  latency: valueSchema((input) => String(parseMicroseconds(input)), {
    type: ['string', 'number'],
    examples: ['10ms'],
  }).optional(),
});

const FIELDS = ['weight', 'priority_class'];

const ioObject = z
  .object({
    weight: weight.optional(),
    priority_class: oneOf('priority class', PRIORITY_CLASSES).optional(),
  })
  .catchall(deviceLimits)
  .check(
    keysFit((key) => {
      if (FIELDS.includes(key) || key.startsWith('/') || /^\d{1,4}:\d{1,7}$/.test(key)) {
        return undefined;
      }
      return {
        message: `'${key}' is not a block device`,
        expected: `${FIELDS.join(', ')}, or ${DEVICE_EXPECTED}`,
        hint: meant(key, FIELDS),
      };
    }),
  );

/** `io: { weight: 200, /dev/sda: { rbps: 50MiB, wiops: 1000, weight: 300, latency: 10ms } }` */
export const ioSection: KnobSection = {
  key: 'io',
  schema: ioObject,
  collect: (parsed) => {
    const knobs: Record<string, Record<string, string>> = {};
    const put = (knob: string, key: string, value: string | undefined): void => {
      if (value !== undefined) {
        (knobs[knob] ??= {})[key] = value;
      }
    };
    const { weight: all, priority_class: prio, ...devices } = parsed as z.infer<typeof ioObject>;
    put('io.weight', 'default', all);
    for (const [device, limits] of Object.entries(devices as Record<string, z.infer<typeof deviceLimits>>)) {
      for (const limit of LIMITS) {
        put('io.max', `${device} ${limit}`, limits[limit]);
      }
      put('io.weight', device, limits.weight);
      put('io.latency', `${device} target`, limits.latency);
    }
    return prio === undefined ? knobs : { ...knobs, 'io.prio.class': String(prio) };
  },
};
