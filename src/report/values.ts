/** Values as people read them: escaped, shortened, with human units beside the raw ones. */
import { isList, type Unit, type Value } from '../resources/attribute.ts';
import { formatBitRate } from '../resources/network/rate.ts';
import { formatBytes, formatDuration } from '../resources/units.ts';

/** Of a plan without changes; bots read it. */
export const NO_CHANGES = 'No changes. Your infrastructure matches the configuration.';

/** Characters of a comment on GitHub, the least of the large forges. */
export const COMMENT_LIMIT = 65_536;

/** Control and bidirectional characters, which could rewrite a terminal's line, become visible escapes. */
export function escapeControls(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (c) => {
    const code = c.charCodeAt(0);
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** One line for a value. */
export function showValue(value: Value | undefined, list: 'set' | 'argv' | undefined): string {
  if (value === undefined) {
    return '(none)';
  }
  if (typeof value === 'string') {
    return value === '' ? '""' : escapeControls(value.replace(/\n/g, ', '));
  }
  if (isList(value)) {
    if (list === 'argv') {
      return escapeControls(JSON.stringify(value));
    }
    return value.length === 0 ? 'none' : escapeControls(value.join(', '));
  }
  const entries = Object.entries(value);
  return entries.length === 0 ? 'none' : escapeControls(entries.map(([k, v]) => `${k}=${v}`).join(', '));
}

/** The human form of a raw value, undefined when it says nothing more. */
export function humanValue(value: Value | undefined, unit: Unit | undefined): string | undefined {
  if (typeof value !== 'string') {
    return undefined;
  }
  if (unit === 'bytes' && /^\d+$/.test(value) && Number(value) >= 1024) {
    return formatBytes(Number(value));
  }
  if (unit === 'bits' && /^\d+$/.test(value)) {
    return formatBitRate(Number(value));
  }
  if (unit === 'cpu') {
    const [quota, period] = value.split(' ');
    if (quota === 'max') {
      return 'no limit';
    }
    const percent = (Number(quota) / Number(period)) * 100;
    return Number.isFinite(percent) ? `${Number(percent.toFixed(1))}%` : undefined;
  }
  if (unit === 'microseconds' && /^\d{4,}$/.test(value)) {
    const ms = Number(value) / 1000;
    return ms < 1000 ? `${Number(ms.toFixed(3))}ms` : `${Number((ms / 1000).toFixed(3))}s`;
  }
  if (unit === 'milliseconds' && /^\d{4,}$/.test(value)) {
    return formatDuration(Number(value));
  }
  return undefined;
}
