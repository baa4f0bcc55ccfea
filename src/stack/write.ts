/** Stack files made by tsbox itself. */
import { stringify } from 'yaml';

/** Text in which `$` stands for itself. */
export function literal(text: string): string {
  return text.replaceAll('$', '$$$$');
}

/** Plain data as the text of a stack file, one line per value. */
export function stackText(stack: unknown): string {
  return stringify(stack, { flowCollectionPadding: true, collectionStyle: 'any', lineWidth: 0 });
}
