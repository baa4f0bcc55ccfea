/** What native/init tells of one description: what came of it, or the step that failed. */
import { parseFields } from './fields-text.ts';

/** What native/init wrote to the report pipe. */
export type InitReport =
  | { readonly ok: true; readonly fields: Readonly<Record<string, string>> }
  | { readonly ok: false; readonly step: string; readonly errno: number; readonly path: string };

/** Anything but a whole line of either form means that init died before it could tell: step 'report', errno 0. */
export function parseReport(text: string): InitReport {
  const ok = /^ok((?: [a-z]+=\S*)*)\n$/.exec(text);
  if (ok) return { ok: true, fields: parseFields((ok[1] ?? '').slice(1)) };
  const error = /^error step=(\S*) errno=(\d+) path=([^\n]*)\n$/.exec(text);
  if (error) return { ok: false, step: error[1] ?? '', errno: Number(error[2]), path: error[3] ?? '' };
  return { ok: false, step: 'report', errno: 0, path: text.trim() };
}
