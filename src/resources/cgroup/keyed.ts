/** Files with one line per key (cgroup-v2.rst, "Format": flat keyed and nested keyed). */
import { entriesOf, type FileWrite, type KnobFiles, type KnobValue } from './knob.ts';

/** Lines as words. */
export function lines(text: string): string[][] {
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((words) => words[0] !== '');
}

/**
 * A nested keyed file, `8:0 rbps=1 wbps=max`: canonical keys are '8:0 rbps'. What is not mentioned in a write the kernel
 * keeps, so only managed keys are written, all of one line in one write.
 */
export function nestedKeyed(
  file: string,
  more: Pick<KnobFiles, 'since' | 'conditional' | 'normalise'> & {
    /** Maps a canonical key and value to what is written and back. */
    readonly names?: readonly string[];
  } = {},
): KnobFiles {
  const { names, ...rest } = more;
  return {
    files: [file],
    parse: ([text]) => {
      if (text === undefined) {
        return undefined;
      }
      const value: Record<string, string> = {};
      for (const [first = '', ...pairs] of lines(text)) {
        for (const pair of pairs) {
          const at = pair.indexOf('=');
          const name = pair.slice(0, at);
          if (at > 0 && (names === undefined || names.includes(name))) {
            value[`${first} ${name}`] = pair.slice(at + 1);
          }
        }
      }
      return value;
    },
    format: (value) => {
      const byLine = new Map<string, string[]>();
      for (const [key, text] of entriesOf(value)) {
        const at = key.lastIndexOf(' ');
        const first = key.slice(0, at);
        byLine.set(first, [...(byLine.get(first) ?? []), `${key.slice(at + 1)}=${text}`]);
      }
      return [...byLine].map(([first, pairs]) => ({ file, data: `${first} ${pairs.join(' ')}` }));
    },
    ...rest,
  };
}

/** A flat keyed file, `8:0 300`: canonical keys are the first words. */
export function flatKeyed(file: string, more: Pick<KnobFiles, 'since' | 'conditional' | 'normalise'> = {}): KnobFiles {
  return {
    files: [file],
    parse: ([text]) => (text === undefined ? undefined : flat(text)),
    format: (value) => entriesOf(value).map(([key, text]): FileWrite => ({ file, data: `${key} ${text}` })),
    ...more,
  };
}

export function flat(text: string): Record<string, string> {
  return Object.fromEntries(lines(text).map(([key = '', ...words]) => [key, words.join(' ')]));
}

/** One file per key. */
export function filePerKey(
  fileOf: (key: string) => string,
  more: {
    readonly parse?: (text: string) => string | undefined;
    readonly write?: (value: string) => string;
    readonly normalise?: KnobFiles['normalise'];
    readonly since?: string;
  } = {},
): KnobFiles {
  return {
    files: (keys) => keys.map(fileOf),
    parse: (texts, keys) => {
      const value: Record<string, string> = {};
      keys.forEach((key, i) => {
        const text = texts[i];
        const parsed = text === undefined ? undefined : (more.parse ?? ((t): string => t.trim()))(text);
        if (parsed !== undefined) {
          value[key] = parsed;
        }
      });
      return value;
    },
    format: (value) =>
      entriesOf(value).map(([key, text]) => ({
        file: fileOf(key),
        data: more.write === undefined ? text : more.write(text),
      })),
    ...(more.normalise === undefined ? {} : { normalise: more.normalise }),
    ...(more.since === undefined ? {} : { since: more.since }),
  };
}

/**
 * The managed part of a live keyed value: keys that somebody declared or applied. One that only the last apply had and
 * that is back at the kernel's own value is gone.
 * @param candidates declared first, then last applied
 */
export function managedPart(
  live: Readonly<Record<string, string>>,
  candidates: readonly KnobValue[],
  normalise: (value: string, key: string) => string,
  keyDefault: (key: string) => string,
): Record<string, string> {
  const [declared, ...others] = candidates.map((c) => (typeof c === 'string' ? {} : c));
  const value: Record<string, string> = {};
  for (const key of new Set([declared ?? {}, ...others].flatMap((c) => Object.keys(c)))) {
    const text = live[key] ?? keyDefault(key);
    const asked = [declared ?? {}, ...others].map((c) => c[key]).filter((v) => v !== undefined);
    const unrounded = asked.find((v) => normalise(v, key) === text);
    if (declared?.[key] === undefined && text === keyDefault(key)) {
      continue;
    }
    value[key] = unrounded ?? text;
  }
  return value;
}
