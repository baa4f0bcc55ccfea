/** Outputs of a stack in Terraform's shape. */
import { SENSITIVE } from './names.ts';

export interface OutputState {
  readonly name: string;
  readonly sensitive: boolean;
  /** Its text as things are; undefined when what it refers to does not exist. */
  readonly before: string | undefined;
  /** Its text after the apply; undefined when that is not known before. */
  readonly after: string | undefined;
  /** The stack is being removed, and its outputs with it. */
  readonly removed: boolean;
}

/** What is known of the values on one side. */
export function outputValues(outputs: readonly OutputState[], side: 'before' | 'after'): Record<string, unknown> {
  const present = outputs.filter((o) => (side === 'before' ? o.before !== undefined : !o.removed));
  return Object.fromEntries(
    present.map((o) => [
      o.name,
      {
        sensitive: o.sensitive,
        ...(o[side] === undefined ? {} : { type: 'string', value: o.sensitive ? SENSITIVE : o[side] }),
      },
    ]),
  );
}

export function outputChanges(outputs: readonly OutputState[]): Record<string, unknown> {
  return Object.fromEntries(
    outputs.map((o) => {
      const show = (text: string | undefined): string | null =>
        text === undefined ? null : o.sensitive ? SENSITIVE : text;
      const action = o.removed
        ? 'delete'
        : o.before === undefined
          ? 'create'
          : o.before === o.after
            ? 'no-op'
            : 'update';
      const unknown = !o.removed && o.after === undefined;
      return [
        o.name,
        {
          actions: [action],
          before: show(o.before),
          ...(unknown ? {} : { after: show(o.removed ? undefined : o.after) }),
          after_unknown: unknown,
          before_sensitive: o.sensitive,
          after_sensitive: o.sensitive,
        },
      ];
    }),
  );
}
