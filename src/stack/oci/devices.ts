/** `linux.devices` and `linux.resources.devices` of a bundle: nodes, and who may open what. */
import type { Fields } from './fields.ts';

interface Node {
  readonly field: Fields;
  readonly path: string;
  readonly type: string;
  readonly major: number;
  readonly minor: number;
}

/** Numbers of a host's device node; undefined when it has none there. */
export type DeviceAt = (
  path: string,
) => { readonly type: 'b' | 'c'; readonly major: number; readonly minor: number } | undefined;

/** What every container may open, whatever the list says: the runtimes add it at its end. */
const DEFAULTS = ['/dev/null', '/dev/zero', '/dev/full', '/dev/random', '/dev/urandom', '/dev/tty'].map((p) => ({
  allow: `${p} rwm`,
}));
const TERMINALS = [{ allow: 'c 5:2 rw' }, { allow: 'c 136:* rw' }];
const DEFAULT_PATHS = new Set([...DEFAULTS.map((d) => d.allow.split(' ')[0]), '/dev/console', '/dev/ptmx']);

export function convertDevices(
  linux: Fields,
  resources: Fields | undefined,
  out: Record<string, unknown>,
  deviceAt: DeviceAt,
): void {
  const listed = (resources?.objects('devices') ?? []).flatMap(ruleOf);
  // A rule set of the language begins with everything denied.
  const first = listed.findIndex((r) => r.deny !== 'all');
  const rules = first < 0 ? [] : listed.slice(first);
  const nodes = linux
    .objects('devices')
    .flatMap(nodeOf)
    .filter((n) => !DEFAULT_PATHS.has(n.path));
  const named = nodes.flatMap((node) => {
    const host = deviceAt(node.path);
    if (host?.type !== node.type.replace('u', 'c') || host.major !== node.major || host.minor !== node.minor) {
      node.field.note(
        'path',
        `${node.path} (${node.type} ${node.major}:${node.minor}) is not what the host has at that path: no node is made`,
      );
      return [];
    }
    const access = accessOf(node, rules);
    if (access === '') {
      node.field.note('path', `${node.path} may not be opened by linux.resources.devices: no node is made`);
      return [];
    }
    return [{ allow: `${node.path} ${access}` }];
  });
  // Nothing but the defaults is what a container has without a word.
  if (rules.some((r) => r.allow !== undefined) || named.length > 0) {
    out['devices'] = [...rules, ...named, ...DEFAULTS, ...TERMINALS];
  }
}

type Rule = { allow: string; deny?: undefined } | { deny: string; allow?: undefined };

function ruleOf(rule: Fields): Rule[] {
  const allow = rule.boolean('allow') ?? false;
  const type = rule.string('type') ?? 'a';
  const access = rule.string('access') ?? 'rwm';
  const number = (key: string): string => {
    const n = rule.number(key);
    return n === undefined || n < 0 ? '*' : String(n);
  };
  const numbers = `${number('major')}:${number('minor')}`;
  rule.finish();
  if (!/^[abc]$/.test(type) || !/^[rwm]{1,3}$/.test(access)) {
    rule.note('', `type '${type}' and access '${access}' are not those of a device rule`);
    return [];
  }
  const text =
    type === 'a' && numbers === '*:*'
      ? access.length === 3
        ? 'all'
        : `all ${access}`
      : `${type} ${numbers} ${access}`;
  return [allow ? { allow: text } : { deny: text }];
}

function nodeOf(device: Fields): Node[] {
  const type = device.string('type') ?? '';
  const path = device.string('path') ?? '';
  const major = device.number('major') ?? -1;
  const minor = device.number('minor') ?? -1;
  const mode = device.number('fileMode');
  const owner = [device.number('uid') ?? 0, device.number('gid') ?? 0];
  device.finish();
  if (type === 'p') {
    device.note('type', `${path}: a FIFO is not made`);
    return [];
  }
  if (!path.startsWith('/dev/')) {
    device.note('path', `${path}: device nodes stand below /dev`);
    return [];
  }
  if ((mode !== undefined || owner.some((id) => id !== 0)) && !DEFAULT_PATHS.has(path)) {
    device.note('fileMode', `${path}: the node has the mode and owner it has on the host`);
  }
  return [{ field: device, path, type, major, minor }];
}

/** The access that the rules, the later one winning, leave to a node: each letter by itself. */
function accessOf(node: Node, rules: readonly Rule[]): string {
  return [...'rwm']
    .filter((letter) => {
      let allowed = false;
      for (const rule of rules) {
        const words = (rule.allow ?? rule.deny ?? '').split(' ');
        const [type, numbers, access] = words[0] === 'all' ? ['a', '*:*', words[1] ?? 'rwm'] : words;
        const [major, minor] = (numbers ?? '').split(':');
        const fits =
          (type === 'a' || type === node.type.replace('u', 'c')) &&
          (major === '*' || Number(major) === node.major) &&
          (minor === '*' || Number(minor) === node.minor) &&
          access?.includes(letter) === true;
        allowed = fits ? rule.allow !== undefined : allowed;
      }
      return allowed;
    })
    .join('');
}
