/** `configuration`: what the stack says, each resource once, however many instances of it there are. */
import { containerOf } from '../../resources/container/replica-names.ts';
import type { Address, Declared } from '../../resources/kind.ts';
import { originFinder } from '../../resources/origins.ts';
import type { Documented } from './document.ts';
import { byTerraformAddress, PROVIDER, SENSITIVE, type Naming } from './names.ts';
import { shown, type Mask } from './values.ts';

const PROVIDER_KEY = 'tsbox';
const SCHEMA_VERSION = 1;

export function configurationJson(source: Documented, naming: Naming): Record<string, unknown> {
  const root = { groups: new Map<string, Declared[]>(), calls: new Map<string, Call>() };
  const find = originFinder(source.plan.origins);
  for (const declared of [...source.declared.values()].sort(byTerraformAddress(naming))) {
    const { type, name } = naming(declared.address);
    let at: Module = root;
    for (const { name: module, key } of find(topOf(declared.address)).modules) {
      const call: Call = at.calls.get(module) ?? { groups: new Map(), calls: new Map(), each: key !== undefined };
      at.calls.set(module, call);
      at = call;
    }
    const group = `${type}.${name}`;
    at.groups.set(group, [...(at.groups.get(group) ?? []), declared]);
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
      ...moduleJson(root, source.mask, naming),
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

/** What one file of modules declares, however many instances it has. */
interface Module {
  readonly groups: Map<string, Declared[]>;
  readonly calls: Map<string, Call>;
}

interface Call extends Module {
  readonly each: boolean;
}

/** The address that origins know: of all replicas, of the cgroup at the top. */
function topOf(address: Address): Address {
  return address.startsWith('cgroup/') ? address.split('/').slice(0, 2).join('/') : containerOf(address);
}

function moduleJson(module: Module, mask: Mask, naming: Naming): Record<string, unknown> {
  return {
    resources: [...module.groups.values()].map((instances) => resourceJson(instances, mask, naming)),
    ...(module.calls.size === 0
      ? {}
      : {
          module_calls: Object.fromEntries(
            [...module.calls].map(([name, call]) => [
              name,
              { ...(call.each ? { for_each_expression: {} } : {}), module: moduleJson(call, mask, naming) },
            ]),
          ),
        }),
  };
}

function resourceJson(instances: readonly Declared[], mask: Mask, naming: Naming): Record<string, unknown> {
  const first = instances[0] as Declared;
  const { type, name, index } = naming(first.address);
  // Within a module names are its own; what is in another is meant by its module.
  const { module } = naming(first.address);
  const depends = new Set(
    first.needs.map((needed) => {
      const other = naming(needed);
      return other.module === module
        ? `${other.type}.${other.name}`
        : (/^\.?(module\.[^.[]+)/.exec(other.module.slice(module.length))?.[1] ?? other.module);
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
