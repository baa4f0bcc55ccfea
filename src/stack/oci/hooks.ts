/** `hooks` of a bundle. */
import type { Fields } from './fields.ts';

/** A kind of hook and where the stack language runs it. */
interface Kind {
  readonly key: string;
  readonly moment: 'pre_start' | 'post_start' | 'post_stop';
  readonly place: Readonly<Record<string, string>>;
}

/** In the order in which a runtime calls them: config.md, "POSIX-platform Hooks". */
const KINDS: readonly Kind[] = [
  { key: 'prestart', moment: 'pre_start', place: { namespaces: 'host' } },
  { key: 'createRuntime', moment: 'pre_start', place: { namespaces: 'host' } },
  { key: 'createContainer', moment: 'pre_start', place: { namespaces: 'container', root: 'host' } },
  { key: 'startContainer', moment: 'pre_start', place: { namespaces: 'container' } },
  { key: 'poststart', moment: 'post_start', place: { namespaces: 'host' } },
  { key: 'poststop', moment: 'post_stop', place: { namespaces: 'host' } },
];

/** A hook without a timeout has no bound; the language's longest is a day. */
const UNBOUNDED = '1d';

/** Where each kind runs and when, in the words of the stack language. */
export function convertHooks(config: Fields, out: Record<string, unknown>): void {
  const hooks = config.object('hooks');
  if (hooks === undefined) {
    return;
  }
  const converted: Record<string, Array<Record<string, unknown>>> = {};
  for (const { key, moment, place } of KINDS) {
    for (const hook of hooks.objects(key)) {
      (converted[moment] ??= []).push({ ...convertHook(hook), ...place });
    }
  }
  hooks.finish();
  if (Object.keys(converted).length > 0) {
    out['hooks'] = converted;
  }
}

function convertHook(hook: Fields): Record<string, unknown> {
  const path = hook.string('path') ?? '';
  const args = hook.strings('args') ?? [];
  const env = hook.strings('env') ?? [];
  const timeout = hook.number('timeout');
  const name = args[0];
  if (name !== undefined && name !== path && name !== path.slice(path.lastIndexOf('/') + 1)) {
    hook.note('args', `the program is called by its path, not as ${JSON.stringify(name)}`);
  }
  hook.finish();
  return {
    command: [path, ...args.slice(1)],
    ...(env.length === 0 ? {} : { env }),
    timeout: timeout === undefined ? UNBOUNDED : `${timeout}s`,
  };
}
