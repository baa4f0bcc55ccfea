/** `--detach-keys`: what is typed to leave a terminal and what runs on it behind, written as Docker has it. */
import { TsboxError } from '../errors.ts';

const DEFAULT = 'ctrl-p,ctrl-q';
/** DETACH_MOST of native/init. */
const MOST = 16;

/**
 * The bytes of a list of keys: a character, or ctrl- with a letter or one of @ [ \ ] ^ _, which a terminal sends as 0 to 31.
 * Nothing at all is no keys.
 * @throws TsboxError TSB2001
 */
export function detachKeys(text: string = DEFAULT): Uint8Array {
  const keys = text === '' ? [] : text.split(',');
  const bytes = keys.map((key) => {
    const [, control] = /^ctrl-([a-z@[\\\]^_])$/.exec(key) ?? [];
    if (control !== undefined) {
      return control.toUpperCase().charCodeAt(0) - 64;
    }
    if (!/^[\x20-\x7e]$/.test(key)) {
      throw new TsboxError('TSB2001', `--detach-keys: '${key}' is not a key`, {
        hint: "keys are characters and ctrl- with a letter or one of @ [ \\ ] ^ _, with commas between: 'ctrl-p,ctrl-q'; '' for none",
      });
    }
    return key.charCodeAt(0);
  });
  if (bytes.length > MOST) {
    throw new TsboxError('TSB2001', `--detach-keys takes up to ${MOST} keys, not ${bytes.length}`);
  }
  return Uint8Array.from(bytes);
}
