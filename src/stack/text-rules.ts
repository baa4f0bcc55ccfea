/** What no stack may contain, whatever it says, and how much of anything. */

/** Levels of maps and lists in each other. */
export const DEPTH_LIMIT = 64;
/** YAML tokens in one file: some 30,000 lines. */
export const TOKEN_LIMIT = 500_000;
/** Values in one file with aliases written out. */
export const VALUE_LIMIT = 200_000;

/** Keys that mean something to JavaScript objects; no stack needs them. */
export const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** Control and formatting characters that could disguise a name where it is shown. */
export const UNSAFE_IN_NAMES = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]/u;

/** Cannot be written as UTF-8, so not given to the kernel either. */
export const LONE_SURROGATE = /\p{Cs}/u;
