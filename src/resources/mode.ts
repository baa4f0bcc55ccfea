/** File modes and owners as a stack writes them. */
import { show, valueSchema, ValueError } from './values.ts';

/** '0644', 0644, 0o644 or 644 as people mean them: octal digits. The loader hands the text over as it is written. */
export const modeSchema = valueSchema(
  (input): number => {
    const text = typeof input === 'number' ? String(input) : input;
    const digits = typeof text === 'string' ? /^(?:0o|0)?([0-7]{1,4})$/.exec(text)?.[1] : undefined;
    if (digits === undefined) {
      throw new ValueError(`${show(input)} is not a file mode`, 'octal digits such as 0644 or 1777');
    }
    return parseInt(digits, 8);
  },
  { type: ['string', 'integer'], examples: ['0644', '1777'] },
);

/** '0644', '1777'. */
export function modeText(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
