/** The `drift:` key of a stack: what does not raise the alarm, and how bad what does is. It never changes a plan. */
import * as z from 'zod';
import { show, valueSchema, ValueError } from './values.ts';

export const SEVERITIES = ['security', 'capacity', 'cosmetic'] as const;
/** From worst to least: who may do what, how much there is for whom, and what only looks different. */
export type Severity = (typeof SEVERITIES)[number];

export interface DriftIgnore {
  /** Globs of `*` and `?`; brackets stand for themselves. */
  readonly address: string;
  /** The attribute, or for what is not ours: process, cgroup, mount, program or netdev. */
  readonly attribute: string;
  readonly reason: string;
  /** The last day on which it holds (UTC), YYYY-MM-DD; null for ever. */
  readonly until: string | null;
}

export interface DriftOverride {
  readonly address: string;
  readonly attribute: string;
  readonly severity: Severity;
  readonly reason: string | null;
}

export interface DriftSettings {
  readonly ignore: readonly DriftIgnore[];
  readonly severity: readonly DriftOverride[];
}

export const NO_DRIFT_SETTINGS: DriftSettings = { ignore: [], severity: [] };

const GLOB = 'a pattern such as container/web*, * for all';

const glob = valueSchema(
  (input) => {
    if (typeof input !== 'string' || input === '' || input.length > 500) {
      throw new ValueError(`${show(input)} is not a pattern`, GLOB);
    }
    return input;
  },
  { type: 'string', minLength: 1, examples: ['container/web*', 'memory.*', 'process'] },
);

const reasonText = valueSchema(
  (input) => {
    if (typeof input !== 'string' || input.trim() === '' || input.length > 500) {
      throw new ValueError(`${show(input)} is not a reason`, 'a few words that tell a reader why');
    }
    return input.trim();
  },
  { type: 'string', minLength: 1 },
);

const dateText = valueSchema(
  (input) => {
    const expected = 'the last day on which it holds, such as 2027-01-31';
    if (typeof input !== 'string' || !/^\d{4}-\d{2}-\d{2}$/.test(input)) {
      throw new ValueError(`${show(input)} is not a date`, expected);
    }
    const date = new Date(`${input}T00:00:00Z`);
    if (Number.isNaN(date.getTime()) || date.toISOString().slice(0, 10) !== input) {
      throw new ValueError(`there is no day ${input}`, expected);
    }
    return input;
  },
  { type: 'string', pattern: '^\\d{4}-\\d{2}-\\d{2}$', examples: ['2027-01-31'] },
);

const ignoreSchema = z
  .strictObject({
    address: glob.optional(),
    attribute: glob.optional(),
    reason: reasonText,
    until: dateText.optional(),
  })
  .transform((rule) => ({
    address: rule.address ?? '*',
    attribute: rule.attribute ?? '*',
    reason: rule.reason,
    until: rule.until ?? null,
  }));

const overrideSchema = z
  .strictObject({
    address: glob.optional(),
    attribute: glob.optional(),
    severity: z.enum(SEVERITIES),
    reason: reasonText.optional(),
  })
  .transform((rule) => ({
    address: rule.address ?? '*',
    attribute: rule.attribute ?? '*',
    severity: rule.severity,
    reason: rule.reason ?? null,
  }));

export const driftSettingsSchema: z.ZodType<DriftSettings> = z
  .strictObject({
    ignore: z.array(ignoreSchema).max(1000, 'at most 1000 rules').optional(),
    severity: z.array(overrideSchema).max(1000, 'at most 1000 rules').optional(),
  })
  .transform((input) => ({ ignore: input.ignore ?? [], severity: input.severity ?? [] }));
