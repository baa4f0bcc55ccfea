/** `hooks:` of a container: programs run at the turning points of its life. */
import * as z from 'zod';
import type { HookPlace, HookRecord } from '../../kernel/init-spec.ts';
import { HOOK_MOMENTS, type HookMoment } from '../../kernel/init-spec.ts';
import type { Attribute, Value } from '../attribute.ts';
import { durationSchema, formatDuration } from '../units.ts';
import { commandSchema, envSchema } from './command.ts';

export interface HookSpec {
  readonly moment: HookMoment;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** ms */
  readonly timeout: number;
  readonly place: HookPlace;
}

const DEFAULT_TIMEOUT = 30_000;
const LONGEST = 24 * 3600 * 1000;

/** Where a hook runs when it does not say: beside the container before and after its life, in it during. */
const DEFAULT_PLACE: Readonly<Record<HookMoment, HookPlace>> = {
  pre_start: 'host',
  post_start: 'container',
  pre_stop: 'container',
  post_stop: 'host',
};

const hookSchema = z.strictObject({
  command: commandSchema,
  env: envSchema.optional(),
  timeout: durationSchema.optional(),
  namespaces: z.enum(['host', 'container']).optional(),
  root: z.enum(['host', 'container']).optional(),
});
type HookInput = z.output<typeof hookSchema>;

const listSchema = z.union([hookSchema.transform((hook) => [hook]), z.array(hookSchema)]);

function checked(moment: HookMoment, hook: HookInput, index: number, context: z.RefinementCtx): HookSpec {
  const issue = (key: string, message: string, expected: string): void =>
    context.addIssue({ code: 'custom', path: [moment, index, key], message, params: { expected } });
  const timeout = hook.timeout ?? DEFAULT_TIMEOUT;
  if (timeout < 1 || timeout > LONGEST) {
    issue('timeout', `the timeout of a hook is ${formatDuration(timeout)}`, 'from 1ms to 1d');
  }
  const place = hook.namespaces ?? DEFAULT_PLACE[moment];
  if (moment === 'post_stop' && place === 'container') {
    issue('namespaces', 'after its stop there is no container to run a hook in', 'host');
  }
  if (hook.root === 'host' && (moment !== 'pre_start' || place !== 'container')) {
    issue('root', "the host's root is seen from the container's namespaces before the start only", 'container');
  }
  return {
    moment,
    command: hook.command,
    env: hook.env ?? {},
    timeout,
    place: hook.root === 'host' && place === 'container' ? 'host-root' : place,
  };
}

const hooksSchema = z
  .strictObject({
    pre_start: listSchema.optional(),
    post_start: listSchema.optional(),
    pre_stop: listSchema.optional(),
    post_stop: listSchema.optional(),
  })
  .transform((given, context): readonly HookSpec[] =>
    HOOK_MOMENTS.flatMap((moment) => (given[moment] ?? []).map((hook, i) => checked(moment, hook, i, context))),
  );

/** The field of `containers:` items. */
export const hooksShape = { hooks: hooksSchema.optional() };

export const HOOK_ATTRIBUTES: readonly Attribute[] = [
  {
    name: 'hooks',
    change: 'in-place',
    observed: 'recorded',
    doc: 'programs run before and after its start and its stop',
    source: 'docs/supervision.md',
  },
];

/** 'pre_start[0]' and so on, as messages name a hook. */
function nameOf(hooks: readonly HookSpec[], hook: HookSpec): string {
  return `${hook.moment}[${hooks.filter((h) => h.moment === hook.moment).indexOf(hook)}]`;
}

export function desiredHooks(hooks: readonly HookSpec[]): Record<string, Value> {
  const texts = hooks.map((hook): [string, string] => [
    nameOf(hooks, hook),
    JSON.stringify({
      command: hook.command,
      ...(Object.keys(hook.env).length === 0 ? {} : { env: hook.env }),
      timeout: formatDuration(hook.timeout),
      in: hook.place,
    }),
  ]);
  return { hooks: Object.fromEntries(texts) };
}

const HOST_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** @param containerEnv KEY=value of the container's process, which hooks inside have too */
export function hookRecords(hooks: readonly HookSpec[], containerEnv: readonly string[]): HookRecord[] {
  return hooks.map((hook) => ({
    moment: hook.moment,
    place: hook.place,
    timeoutMs: hook.timeout,
    name: `${nameOf(hooks, hook)} (${hook.command[0] ?? ''})`,
    argv: hook.command,
    env: [
      ...(hook.place === 'container' ? containerEnv : [HOST_PATH]).filter(
        (pair) => !Object.hasOwn(hook.env, pair.slice(0, pair.indexOf('='))),
      ),
      ...Object.entries(hook.env).map(([key, value]) => `${key}=${value}`),
    ],
  }));
}

/** How long those of some moments may take together, ms. */
export function hooksTimeout(hooks: readonly HookSpec[], ...moments: readonly HookMoment[]): number {
  return hooks.filter((h) => moments.includes(h.moment)).reduce((sum, h) => sum + h.timeout, 0);
}
