/**
 * Outputs after loading: text with references such as `${container.db.pid}` that are known only after apply. A `$` that
 * is none stands there twice, so that what came out of a variable is never taken for a reference.
 */

/** What an output may ask of a resource: the last part of ${container.NAME.pid}. */
export const REFERENCES: Readonly<Record<string, readonly string[]>> = {
  container: ['pid', 'state', 'hostname', 'cgroup'],
  cgroup: ['path'],
  namespace: ['inode', 'path'],
};

export interface Reference {
  readonly kind: string;
  /** May contain dots, and slashes for a cgroup. */
  readonly name: string;
  readonly attribute: string;
  /** As written: '${container.db.pid}'. */
  readonly text: string;
}

const PARTS = /\$\$|\$\{([^}]*)\}/g;

function reference(text: string, inside: string): Reference {
  const [, kind = '', name = '', attribute = ''] = /^([a-z]+)\.(.+)\.([a-z_]+)$/.exec(inside) ?? [];
  return { kind, name, attribute, text };
}

/** References in the value of an output, in order. */
export function referencesIn(value: string): readonly Reference[] {
  return [...value.matchAll(PARTS)].flatMap((match) => (match[1] === undefined ? [] : [reference(match[0], match[1])]));
}

/** The output as people see it: each reference answered, `$$` made `$`. */
export function fillOutput(value: string, answer: (reference: Reference) => string): string {
  return value.replace(PARTS, (text, inside: string | undefined) =>
    inside === undefined ? '$' : answer(reference(text, inside)),
  );
}

/** Text that fillOutput gives back as it is. */
export function literalOutput(text: string): string {
  return text.replaceAll('$', '$$$$');
}
