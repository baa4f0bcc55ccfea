/** The JSON Schema of the stack language, from the schemas that read it, for editors. */
import * as z from 'zod';
import { NAME_PATTERN } from '../../src/resources/units.ts';
import { SECTIONS, topShape } from '../../src/stack/schema.ts';

type Node = Record<string, unknown>;

/** Text with a variable in it may stand wherever a number, a word of a list or a pattern is expected. */
const INTERPOLATED: Node = { type: 'string', pattern: '\\$\\{' };

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  tsbox: 'The version of the stack language.',
  name: 'The name of the stack: of its directory in the cgroup hierarchies, and what commands take as --stack.',
  include: 'Further files, relative to this one and within its directory; this one goes over them.',
  drift: 'Which drift is ignored, and how bad the rest is.',
  variables: 'Values that are given from outside: --var NAME=VALUE, the environment, or a default.',
  cgroups: 'A tree of cgroups with limits.',
  namespaces: 'Namespaces that outlive the containers that use them.',
  devices: 'Named sets of device rules.',
  volumes: 'Directories that are kept when the stack goes.',
  secrets: 'Contents that containers are given as files, and that no output shows.',
  configs: 'Contents that containers are given as files.',
  containers: 'Processes with namespaces, limits and a root of their own.',
  outputs: 'What apply prints at its end: ${container.NAME.pid} and the like.',
};

export function stackSchema(): Node {
  const sections = Object.fromEntries(
    Object.entries(SECTIONS).map(([name, schema]) => [name, z.record(z.string(), schema as z.ZodType).optional()]),
  );
  const schema = z.toJSONSchema(z.strictObject({ ...topShape, ...sections }), {
    io: 'input',
    unrepresentable: 'any',
    target: 'draft-7',
    reused: 'inline',
  }) as Node;
  const clean = cleaned(schema, schema['definitions'] as Node | undefined) as Node;
  delete clean['definitions'];
  const properties = clean['properties'] as Record<string, Node>;
  for (const [name, text] of Object.entries(DESCRIPTIONS)) {
    properties[name] = { description: text, ...properties[name] };
  }
  for (const name of Object.keys(SECTIONS)) {
    const section = properties[name] as Node;
    section['propertyNames'] = { pattern: NAME_PATTERN.source };
  }
  nestCgroups(properties['cgroups'] as Node);
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    $id: 'stack.schema.json',
    title: 'tsbox stack',
    ...clean,
    // A file that is included needs neither version nor name.
    required: undefined,
    patternProperties: { '^x-': {} },
    definitions: { cgroup: (properties['cgroups'] as Node)['additionalProperties'] },
  };
}

/** Children of a cgroup are cgroups. */
function nestCgroups(section: Node): void {
  const cgroup = section['additionalProperties'] as Record<string, Record<string, Node>>;
  (cgroup['properties'] as Record<string, Node>)['children'] = {
    type: 'object',
    additionalProperties: { $ref: '#/definitions/cgroup' },
  };
}

const KEYS_OF_VALUES: readonly string[] = ['type', 'enum', 'const', 'pattern', 'format', 'examples', 'minLength'];

/** Without what zod needs and editors do not: empty references, and leaves that know nothing of variables. */
function cleaned(node: unknown, definitions: Node | undefined): unknown {
  if (Array.isArray(node)) {
    return node.map((item) => cleaned(item, definitions));
  }
  if (typeof node !== 'object' || node === null) {
    return node;
  }
  const result: Node = {};
  for (const [key, value] of Object.entries(node)) {
    if (key === '$schema' || key === 'definitions') {
      continue;
    }
    if (key === 'allOf' && Array.isArray(value)) {
      // Where a reader of text stands: its meta data is beside it.
      for (const part of value) {
        Object.assign(result, cleaned(resolved(part as Node, definitions), definitions));
      }
      continue;
    }
    if (key === '$ref') {
      Object.assign(result, cleaned(resolved({ $ref: value }, definitions), definitions));
      continue;
    }
    if (key === 'properties') {
      result[key] = Object.fromEntries(
        Object.entries(value as Node).map(([name, schema]) => [name, cleaned(schema, definitions)]),
      );
      continue;
    }
    result[key] = ['enum', 'const', 'examples', 'required'].includes(key) ? value : cleaned(value, definitions);
  }
  return withVariables(result);
}

function resolved(node: Node, definitions: Node | undefined): Node {
  const name = typeof node['$ref'] === 'string' ? node['$ref'].replace('#/definitions/', '') : undefined;
  return name === undefined ? node : ((definitions?.[name] ?? {}) as Node);
}

function withVariables(node: Node): Node {
  const types = node['type'] === undefined ? [] : [node['type']].flat();
  const leaf =
    Object.keys(node).some((k) => KEYS_OF_VALUES.includes(k)) && !types.some((t) => t === 'object' || t === 'array');
  const strict = node['enum'] !== undefined || node['const'] !== undefined || node['pattern'] !== undefined;
  const takesText = types.includes('string') && !strict;
  if (!leaf || takesText || node['const'] === null || node['const'] === 1) {
    return node;
  }
  return { anyOf: [node, INTERPOLATED] };
}
