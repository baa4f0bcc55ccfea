/** The text form of a namespace use: `new`, `host`, NAME, `container/NAME`, `pid:123`, `path:/run/netns/x`. */
import type * as z from 'zod';
import type { NamespaceType } from '../../kernel/init-spec.ts';
import { isContainerName } from '../container/replica-names.ts';
import { NAME_PATTERN } from '../units.ts';
import { show, valueSchema, ValueError } from '../values.ts';
import { ALLOCATION_WORDS } from './id-maps.ts';
import type { IdAllocation, NamespaceUse } from './schema.ts';
import { SETTINGS_OF } from './settings.ts';

/** Words that cannot name a declared namespace, because they mean something else in a use. */
export const USE_WORDS: readonly string[] = ['new', 'host', 'none', 'default', 'auto', 'keep-id'];

const FORMS =
  'new, host, the name of a declared namespace, container/NAME, container/STACK:NAME, pid:NUMBER or path:/FILE';

/** A schema for the text form; `fresh` makes the use that `new` stands for, `allocated` those of auto and keep-id. */
export function parseNamespaceUse(
  type: NamespaceType,
  fresh: () => NamespaceUse,
  allocated: (ids: IdAllocation) => NamespaceUse,
): z.ZodType<NamespaceUse> {
  const settings = SETTINGS_OF[type];
  const words = type === 'user' ? `${Object.keys(ALLOCATION_WORDS).join(', ')}, ${FORMS}` : FORMS;
  const expected = settings.length === 0 ? words : `${words}; or a map of ${settings.join(', ')}`;
  const word = (input: unknown): IdAllocation | undefined =>
    type === 'user' && typeof input === 'string' && Object.hasOwn(ALLOCATION_WORDS, input)
      ? ALLOCATION_WORDS[input]
      : undefined;
  const either = (input: unknown): NamespaceUse => {
    const ids = word(input);
    return ids === undefined ? parse(input, type, fresh, expected) : allocated(ids);
  };
  return valueSchema(either, {
    type: 'string',
    examples: ['new', 'host', 'container/db'],
  });
}

function parse(input: unknown, type: NamespaceType, fresh: () => NamespaceUse, expected: string): NamespaceUse {
  if (typeof input === 'object' && input !== null && !Array.isArray(input)) {
    const keys = Object.keys(input).join(', ');
    throw new ValueError(`${type} namespaces have no settings here${keys === '' ? '' : `: ${keys}`}`, FORMS);
  }
  if (typeof input !== 'string') {
    throw new ValueError(`${show(input)} does not say which ${type} namespace`, expected);
  }
  if (input === 'new') {
    return fresh();
  }
  if (input === 'host') {
    return { kind: 'host' };
  }
  if (input.startsWith('container/')) {
    return containerUse(input);
  }
  if (input.startsWith('pid:')) {
    return pidUse(input);
  }
  if (input.startsWith('path:')) {
    return pathUse(input);
  }
  if (!NAME_PATTERN.test(input) || USE_WORDS.includes(input)) {
    const hint =
      input === 'none' || input === 'default'
        ? "new gives the container its own, host shares the machine's"
        : prefixHint(input);
    throw new ValueError(`${show(input)} does not say which ${type} namespace`, expected, hint);
  }
  return { kind: 'declared', name: input };
}

/** `container/NAME` or `container/STACK:NAME`. */
export function containerUse(input: string): NamespaceUse & { readonly kind: 'container' } {
  const parts = input.slice('container/'.length).split(':');
  const name = parts.at(-1) as string;
  const stack = parts.length === 2 ? (parts[0] as string) : null;
  if (parts.length > 2 || !isContainerName(name) || (stack !== null && !NAME_PATTERN.test(stack))) {
    throw new ValueError(
      `${show(input)} does not name a container`,
      'container/NAME, or container/STACK:NAME for one of another stack',
    );
  }
  return { kind: 'container', name, stack };
}

function pidUse(input: string): NamespaceUse {
  const text = input.slice('pid:'.length);
  // PID_MAX_LIMIT of the kernel is 2^22.
  if (!/^[1-9]\d{0,6}$/.test(text) || Number(text) > 4_194_304) {
    throw new ValueError(`${show(input)} does not name a process`, 'pid:NUMBER with a number from 1 to 4194304');
  }
  return { kind: 'pid', pid: Number(text) };
}

function pathUse(input: string): NamespaceUse {
  const path = input.slice('path:'.length);
  const parts = path.split('/');
  if (!path.startsWith('/') || path === '/' || parts.includes('..') || parts.includes('.') || path.length > 4095) {
    throw new ValueError(
      `${show(input)} does not name a namespace file`,
      "path: with an absolute path without '.' and '..', such as path:/run/netns/front",
    );
  }
  return { kind: 'path', path };
}

function prefixHint(input: string): string | undefined {
  if (input.startsWith('/')) {
    return `for a namespace file write path:${input}`;
  }
  return /^(namespace|ns)[/:]/.test(input) ? 'a declared namespace goes by its bare name' : undefined;
}
