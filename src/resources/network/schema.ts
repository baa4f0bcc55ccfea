/** network_tag and bandwidth in the stack language, on cgroups and containers alike. */
import * as z from 'zod';
import { parseBytes } from '../units.ts';
import { show, valueSchema, ValueError } from '../values.ts';
import { bitRate } from './rate.ts';

/** Canonical values by attribute name ('bandwidth.egress'), only what the stack says. */
export type NetworkValues = Readonly<Record<string, string>>;

/**
 * The least burst: the largest packet that TCP hands down in one piece (GSO_LEGACY_MAX_SIZE). A bucket that cannot hold
 * it would never let it through.
 */
export const LEAST_BURST = 65_536;
export const MOST_BURST = 4_294_967_295;

function tagNumber(what: string, format: (value: number) => string): z.ZodType<string> {
  const expected = 'a whole number from 1 to 0xffffffff';
  return valueSchema(
    (input) => {
      const value = typeof input === 'string' && /^0x[0-9a-f]{1,8}$/i.test(input) ? Number(input) : input;
      if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > 0xffff_ffff) {
        const hint = value === 0 ? 'leave it out: 0 is what the kernel has anyway' : undefined;
        throw new ValueError(`${show(input)} is not a ${what}`, expected, hint);
      }
      return format(value);
    },
    { type: 'integer', minimum: 1, maximum: 0xffff_ffff, examples: [16] },
  );
}

const burst = valueSchema(
  (input) => {
    const bytes = parseBytes(input);
    if (bytes < LEAST_BURST || bytes > MOST_BURST) {
      throw new ValueError(
        `${show(input)} cannot be a burst`,
        'from 64KiB, the largest packet, to 4GiB',
        bytes < LEAST_BURST ? 'a larger packet would never pass' : undefined,
      );
    }
    return String(bytes);
  },
  { type: ['string', 'integer'], examples: ['64KiB', '1MiB'] },
);

const tagSchema = z.strictObject({
  mark: tagNumber('mark', hex).optional(),
  priority: tagNumber('priority', String).optional(),
});

const bandwidthSchema = z
  .strictObject({
    egress: bitRate.optional(),
    egress_burst: burst.optional(),
    ingress: bitRate.optional(),
    ingress_burst: burst.optional(),
  })
  .superRefine((value, context) => {
    for (const direction of ['egress', 'ingress'] as const) {
      const rate = value[direction];
      if (value[`${direction}_burst`] !== undefined && (rate === undefined || rate === 'max')) {
        context.addIssue({
          code: 'custom',
          path: [`${direction}_burst`],
          message: `${direction}_burst says nothing without a rate`,
          params: { expected: `${direction} beside it, such as 10Mbit` },
        });
      }
    }
  });

export const networkShape = { network_tag: tagSchema, bandwidth: bandwidthSchema } as const;

/** A mark as attributes show it. */
export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** Gathers the canonical values from what the shape parsed. */
export function collectNetwork(parsed: Readonly<Record<string, unknown>>): NetworkValues {
  const values: Record<string, string> = {};
  for (const section of Object.keys(networkShape)) {
    for (const [key, value] of Object.entries((parsed[section] as Record<string, unknown> | undefined) ?? {})) {
      if (typeof value === 'string') {
        values[`${section}.${key}`] = value;
      }
    }
  }
  return values;
}
