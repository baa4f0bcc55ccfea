/** A basis as it may be kept: where a text may not be shown, what is shown instead has a digest of it behind. */
import { canonicalJson } from './canonical.ts';

/** Numbers of secrets are those of one run. */
const NUMBER = /(\(sensitive value) #\d+\)/g;

/**
 * Puts digests where two readings of the same data differ.
 * @param shown without secrets: the same shape, keys that were undefined left out
 * @param mark the digest of a text; keyed, or whoever reads it could try what it is of
 */
export function digested<T>(shown: T, whole: T, mark: (text: string) => string): T;
export function digested(shown: unknown, whole: unknown, mark: (text: string) => string): unknown {
  if (typeof shown === 'string' && typeof whole === 'string') {
    return shown === whole ? shown : `${shown.replace(NUMBER, '$1)')} [${mark(whole)}]`;
  }
  if (Array.isArray(shown) && Array.isArray(whole) && shown.length === whole.length) {
    return shown.map((item, i) => digested(item, whole[i] as unknown, mark));
  }
  if (isMap(shown) && isMap(whole)) {
    const before = Object.entries(whole).filter(([, value]) => value !== undefined);
    const after = Object.entries(shown);
    if (before.length === after.length) {
      return Object.fromEntries(
        after.map(([key, value], i) => {
          const [name, of] = before[i] as [string, unknown];
          return [digested(key, name, mark), digested(value, of, mark)];
        }),
      );
    }
    // Keys that only their secrets told apart have become one.
    return { ...shown, [`[${mark(canonicalJson(whole))}]`]: true };
  }
  return shown;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
