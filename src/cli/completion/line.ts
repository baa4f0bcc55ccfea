/** A command line that is not finished: what was given, and what the last word is about to be. */
import type { OptionLine } from '../help.ts';

export interface Line {
  /** Values by option; a flag has an empty one. */
  readonly given: ReadonlyMap<string, readonly string[]>;
  /** Arguments before the last word. */
  readonly positionals: readonly string[];
  /** The option that the last word is the value of. */
  readonly open: OptionLine | undefined;
  /** After --, nothing is an option. */
  readonly ended: boolean;
}

/** @param before the words between the command and the last one */
export function readLine(before: readonly string[], options: readonly OptionLine[]): Line {
  const given = new Map<string, readonly string[]>();
  const positionals: string[] = [];
  let open: OptionLine | undefined;
  let ended = false;
  const note = (name: string, value: string): void => {
    given.set(name, [...(given.get(name) ?? []), value]);
  };
  for (const word of before) {
    if (open !== undefined) {
      note(open.name, word);
      open = undefined;
    } else if (ended || !/^-./.test(word)) {
      positionals.push(word);
    } else if (word === '--') {
      ended = true;
    } else if (word.startsWith('--')) {
      const [name = '', value] = word.slice(2).split(/=(.*)/s);
      const option = options.find((o) => o.name === name);
      if (value === undefined && option?.value !== undefined) {
        open = option;
      } else {
        note(name, value ?? '');
      }
    } else {
      open = shorts(word, options, note);
    }
  }
  return { given, positionals, open, ended };
}

/** Short options in one word, -ty or -n5; the one whose value is the next word is returned. */
function shorts(
  word: string,
  options: readonly OptionLine[],
  note: (name: string, value: string) => void,
): OptionLine | undefined {
  for (let i = 1; i < word.length; i++) {
    const option = options.find((o) => o.short === word[i]);
    if (option?.value !== undefined) {
      if (i === word.length - 1) {
        return option;
      }
      note(option.name, word.slice(i + 1));
      return undefined;
    }
    if (option !== undefined) {
      note(option.name, '');
    }
  }
  return undefined;
}
