/** `configuration`: what the stack says, each resource once, however many instances of it there are. */
import type { Declared } from '../../resources/kind.ts';
import type { Documented } from './document.ts';
import { byTerraformAddress, PROVIDER, SENSITIVE, terraformName } from './names.ts';
import { shown, type Mask } from './values.ts';

const PROVIDER_KEY = 'tsbox';
const SCHEMA_VERSION = 1;

export function configurationJson(source: Documented): Record<string, unknown> {
  const groups = new Map<string, Declared[]>();
  for (const declared of [...source.declared.values()].sort(byTerraformAddress)) {
    const { type, name } = terraformName(declared.address);
    const key = `${type}.${name}`;
    groups.set(key, [...(groups.get(key) ?? []), declared]);
  }
  return {
    provider_config: { [PROVIDER_KEY]: { name: PROVIDER_KEY, full_name: PROVIDER } },
    root_module: {
      ...(source.outputs.length === 0
        ? {}
        : {
            outputs: Object.fromEntries(
              source.outputs.map((o) => [
                o.name,
                {
                  ...(o.sensitive ? { sensitive: true } : {}),
                  expression: o.after === undefined ? {} : { constant_value: o.sensitive ? SENSITIVE : o.after },
                },
              ]),
            ),
          }),
      resources: [...groups.values()].map((instances) => resourceJson(instances, source.mask)),
      ...(Object.keys(source.variables).length === 0
        ? {}
        : {
            variables: Object.fromEntries(
              Object.entries(source.variables).map(([name, v]) => [name, v.sensitive ? { sensitive: true } : {}]),
            ),
          }),
    },
  };
}

function resourceJson(instances: readonly Declared[], mask: Mask): Record<string, unknown> {
  const first = instances[0] as Declared;
  const { type, name, index } = terraformName(first.address);
  const depends = new Set(
    first.needs.map((needed) => {
      const other = terraformName(needed);
      return `${other.type}.${other.name}`;
    }),
  );
  depends.delete(`${type}.${name}`);
  return {
    address: `${type}.${name}`,
    mode: 'managed',
    type,
    name,
    provider_config_key: PROVIDER_KEY,
    expressions: Object.fromEntries(
      Object.entries(shown(first.desired, mask).values).map(([key, value]) => [key, { constant_value: value }]),
    ),
    schema_version: SCHEMA_VERSION,
    ...(typeof index === 'number' ? { count_expression: { constant_value: instances.length } } : {}),
    ...(typeof index === 'string' ? { for_each_expression: {} } : {}),
    ...(depends.size === 0 ? {} : { depends_on: [...depends].sort() }),
  };
}
