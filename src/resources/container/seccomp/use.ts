/** `seccomp:` of a container: the built-in filter, none, or a profile from a file or in place. */
import { createHash } from 'node:crypto';
import { TsboxError } from '../../../errors.ts';
import { readContent } from '../../../kernel/host-facts.ts';
import type { Stack } from '../../../stack/types.ts';
import type { Problem } from '../../kind.ts';
import { meant, show, valueSchema, ValueError } from '../../values.ts';
import { compileProfile, type SeccompArch } from './compile.ts';
import { defaultFilter } from './default.ts';
import { parseProfile, parseProfileText, type Profile } from './profile.ts';

export type SeccompUse =
  | { readonly kind: 'default' }
  | { readonly kind: 'unconfined' }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'profile'; readonly profile: Profile };

const FORMS = 'default, unconfined, { profile: FILE }, or an OCI profile with defaultAction and syscalls';

export const seccompSchema = valueSchema(
  (input): SeccompUse => {
    if (input === 'default' || input === 'unconfined') {
      return { kind: input };
    }
    if (typeof input !== 'object' || input === null || Array.isArray(input)) {
      throw new ValueError(
        `'seccomp' cannot be ${show(input)}`,
        FORMS,
        meant(String(input), ['default', 'unconfined']),
      );
    }
    if (!('profile' in input)) {
      const profile = parseProfile(input);
      compiled(profile, 'x86_64');
      return { kind: 'profile', profile };
    }
    const { profile: path, ...rest } = input;
    const [more] = Object.keys(rest);
    if (more !== undefined) {
      throw new ValueError(`${show(more)} does not go with 'profile'`, FORMS, undefined, [more]);
    }
    if (typeof path !== 'string' || path === '') {
      throw new ValueError(`${show(path)} is not the path of a profile`, 'a JSON file', undefined, ['profile']);
    }
    return { kind: 'file', path };
  },
  { description: 'the system call filter' },
);

export function seccompUse(given: SeccompUse | undefined, resolvePath: (path: string) => string): SeccompUse {
  const use = given ?? { kind: 'default' };
  return use.kind === 'file' ? { kind: 'file', path: resolvePath(use.path) } : use;
}

/** The engines' own has 15 KiB. */
const LONGEST_FILE = 1024 * 1024;

const profiles = new WeakMap<SeccompUse, Profile>();

/** Read once for a stack that is loaded once: what is planned is what is started. Throws ValueError. */
function profileOf(use: Extract<SeccompUse, { kind: 'file' | 'profile' }>): Profile {
  if (use.kind === 'profile') {
    return use.profile;
  }
  let profile = profiles.get(use);
  if (profile === undefined) {
    const found = readContent(use.path, LONGEST_FILE);
    if (typeof found === 'string') {
      throw new ValueError(`${use.path}: ${found}`, 'a JSON file');
    }
    try {
      profile = parseProfileText(found.toString('utf8'));
    } catch (error) {
      if (!(error instanceof ValueError)) {
        throw error;
      }
      const place = error.path.length === 0 ? '' : ` (at ${error.path.join('.')})`;
      throw new ValueError(`${use.path}: ${error.message}${place}`, error.expected, error.hint);
    }
    profiles.set(use, profile);
  }
  return profile;
}

function compiled(profile: Profile, arch: SeccompArch): Uint8Array {
  try {
    return compileProfile(profile, arch);
  } catch (error) {
    throw error instanceof RangeError ? new ValueError(error.message, 'a shorter profile') : error;
  }
}

export interface Filter {
  /** struct sock_filter[]; empty for none. */
  readonly code: Uint8Array;
  /** SECCOMP_FILTER_FLAG_*. */
  readonly flags: number;
}

/** Throws ValueError where a file has no profile in it. */
export function filterOf(use: SeccompUse, arch: SeccompArch, capabilities: ReadonlySet<string>): Filter {
  if (use.kind === 'default' || use.kind === 'unconfined') {
    return { code: use.kind === 'default' ? defaultFilter(arch, capabilities) : new Uint8Array(0), flags: 0 };
  }
  const profile = profileOf(use);
  return { code: compiled(profile, arch), flags: profile.flags };
}

/** The attribute: a digest of what a profile says, however it is written. Throws ValueError as filterOf. */
export function seccompText(use: SeccompUse, arch: SeccompArch): string {
  if (use.kind === 'default' || use.kind === 'unconfined') {
    return use.kind;
  }
  const profile = profileOf(use);
  compiled(profile, arch);
  const meaning = JSON.stringify(profile, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
  return `profile sha256:${createHash('sha256').update(meaning).digest('hex').slice(0, 16)}`;
}

/** The attribute; a file without a profile in it is reported. */
export function declaredFilter(
  use: SeccompUse,
  address: string,
  stack: Stack,
  report: (problem: Problem) => void,
): string {
  try {
    return seccompText(use, process.arch === 'arm64' ? 'aarch64' : 'x86_64');
  } catch (error) {
    if (!(error instanceof ValueError)) {
      throw error;
    }
    report({
      severity: 'error',
      error: new TsboxError('TSB1003', `${address}: ${error.message}`, {
        at: stack.locate(address, ['seccomp', 'profile']) ?? stack.locate(address, ['seccomp']),
        address,
        hint: error.hint ?? (error.expected === undefined ? undefined : `expected: ${error.expected}`),
      }),
    });
    return '?';
  }
}

/**
 * The filter of a profile as kept on the container's directory, so that exec gives it to another process without the
 * stack: '' for the built-in ones, which are made from the capabilities. The longest takes 44 KB of an xattr's 64 KiB.
 */
export function keptFilter(use: SeccompUse, filter: Filter): string {
  return use.kind === 'default' || use.kind === 'unconfined'
    ? ''
    : `${filter.flags} ${Buffer.from(filter.code).toString('base64')}`;
}

/** Undefined where the text is not such a record. */
export function takenFilter(text: string): Filter | undefined {
  const match = /^(\d+) ([A-Za-z0-9+/]+=*)$/.exec(text);
  const code = Buffer.from(match?.[2] ?? '', 'base64');
  return code.length === 0 || code.length % 8 !== 0 ? undefined : { code, flags: Number(match?.[1]) };
}
