/** Secrets in a recording: a mark stands in the place of each, and a replay puts its own value there. */
import type { Recording } from './document.ts';

/** A text that is not to be recorded, and the name that its mark bears. */
export interface SecretText {
  readonly name: string;
  readonly text: string;
}

/** No name of a stack has such brackets. */
const mark = (name: string): string => `\u27e8secret ${name}\u27e9`;
const MARK = /\u27e8secret ([^\u27e9]*)\u27e9/g;

/** Digests of secrets in records (resources/files.ts): those of known ones are marked, others could be guessed. */
const DIGEST = /secret:[0-9a-f]{64}/g;
const NO_DIGEST = `secret:${'0'.repeat(64)}`;

/** Stands for a content that was no known secret. */
const UNKNOWN = mark('not recorded');

/**
 * The recording without the secrets.
 * @param files paths in containers at which secrets are mounted: what is read there is known, or left out
 */
export function withoutSecretTexts(
  recording: Recording,
  secrets: readonly SecretText[],
  files: ReadonlySet<string>,
): Recording {
  // The longest first: one may be a part of another.
  const sorted = secrets.filter((s) => s.text !== '').sort((a, b) => b.text.length - a.text.length);
  const hide = (text: string): string => hidden(text, sorted).replaceAll(DIGEST, NO_DIGEST);
  const inRoot = Object.entries(recording.answers.in_root ?? {}).map(([asked, answer]) => {
    const isSecret = typeof answer === 'object' && files.has(asked.slice(asked.indexOf(' ') + 1));
    const known = isSecret && sorted.some((s) => sameContent(answer.content, s.text));
    return [asked, isSecret && !known ? { ...answer, content: UNKNOWN } : answer] as const;
  });
  const { answers } = recording;
  return {
    ...recording,
    answers: withTexts(
      { ...answers, ...(inRoot.length === 0 ? {} : { in_root: Object.fromEntries(inRoot) }) },
      hide,
    ) as Recording['answers'],
  };
}

/** The mark of one secret is not looked at for another: a value may be a word of it. */
function hidden(text: string, secrets: readonly SecretText[], first = 0): string {
  for (let at = first; at < secrets.length; at++) {
    const secret = secrets[at] as SecretText;
    if (text.includes(secret.text)) {
      return text
        .split(secret.text)
        .map((part) => hidden(part, secrets, at + 1))
        .join(mark(secret.name));
    }
  }
  return text;
}

function sameContent(content: string | { readonly base64: string }, text: string): boolean {
  return typeof content === 'string' ? content === text : content.base64 === text;
}

/** The recording with the values that the marks stand for here; a mark that has none stays, and is unlike any value. */
export function withSecretTexts(recording: Recording, secrets: readonly SecretText[]): Recording {
  const values = new Map(secrets.map((s) => [s.name, s.text]));
  const show = (text: string): string => text.replaceAll(MARK, (whole, name: string) => values.get(name) ?? whole);
  return { ...recording, answers: withTexts(recording.answers, show) as Recording['answers'] };
}

/** A copy in which every text, keys included, has gone through `change`. */
function withTexts(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') {
    return change(value);
  }
  if (Array.isArray(value)) {
    return value.map((item) => withTexts(item, change));
  }
  return typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value).map(([key, item]) => [change(key), withTexts(item, change)]))
    : value;
}
