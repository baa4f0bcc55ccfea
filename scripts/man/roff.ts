/** Text as roff(7) has it, for any device: pure ASCII, nothing taken for a request or an escape. */

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\e',
  '-': '\\-',
  "'": '\\(aq',
  '"': '\\(dq',
  '`': '\\(ga',
  '^': '\\(ha',
  '~': '\\(ti',
};

/** One piece of text, without line ends. */
export function text(value: string): string {
  const escaped = value.replace(/[\\\-'"`^~]/g, (c) => ESCAPES[c] ?? c);
  const ascii = escaped.replace(
    /[^\x20-\x7e]/gu,
    (c) => `\\[u${(c.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`,
  );
  return ascii.startsWith('.') ? `\\&${ascii}` : ascii;
}

export const bold = (value: string): string => `\\fB${text(value)}\\fR`;
export const italic = (value: string): string => `\\fI${text(value)}\\fR`;

/** Filled paragraphs, divided by empty lines; indented lines stay as they are. */
export function paragraphs(value: string): string[] {
  return value.split(/\n\n+/).flatMap((paragraph) => {
    const lines = paragraph.split('\n');
    return lines.some((l) => l.startsWith(' ')) ? ['.P', ...asIs(lines)] : ['.P', ...lines.map((l) => text(l))];
  });
}

/** Lines that are neither filled nor hyphenated. */
export function asIs(lines: readonly string[]): string[] {
  return ['.nf', ...lines.map((l) => text(l)), '.fi'];
}
