/**
 * Addresses as Terraform's readers expect them: container/web[0] is tsbox_container.web[0], an instance of for_each
 * has its key, and what is in a module stands after it: container/shop.eu.db is module.shop["eu"].tsbox_container.db.
 * What lies below a cgroup has its path as a key: cgroup/tenants/api is tsbox_cgroup.tenants["api"].
 */
import { parseReplica } from '../../resources/container/replica-names.ts';
import type { Address } from '../../resources/kind.ts';
import { originFinder, type Origins } from '../../resources/origins.ts';

export interface TerraformName {
  readonly address: string;
  /** Address of the module that it belongs to, '' for the stack itself. */
  readonly module: string;
  /** The address without the module. */
  readonly resource: string;
  readonly type: string;
  readonly name: string;
  /** Number of a replica, or a key. */
  readonly index: number | string | undefined;
}

export const PROVIDER = 'registry.terraform.io/tsbox/tsbox';

/** Names of all resources of one plan or state. */
export type Naming = (address: Address) => TerraformName;

export function namingOf(origins: Origins | undefined): Naming {
  const find = originFinder(origins);
  return (address) => {
    const [kind = '', rest = ''] = address.split(/\/(.*)/s);
    const replica = kind === 'container' ? parseReplica(rest) : undefined;
    const slash = kind === 'cgroup' ? rest.indexOf('/') : -1;
    const top = replica?.container ?? (slash < 0 ? rest : rest.slice(0, slash));
    const { modules, name, key } = find(`${kind}/${top}`);
    const index = replica?.index ?? (slash < 0 ? key : `${key === undefined ? '' : `${key}/`}${rest.slice(slash + 1)}`);
    const module = modules.map((m) => `module.${m.name}${indexText(m.key)}`).join('.');
    const type = `tsbox_${kind}`;
    const resource = `${type}.${name}${indexText(index)}`;
    return { address: module === '' ? resource : `${module}.${resource}`, module, resource, type, name, index };
  };
}

function indexText(index: number | string | undefined): string {
  return index === undefined ? '' : `[${JSON.stringify(index)}]`;
}

/** What every entry of a Terraform document says of its resource. */
export function resourceHead(address: Address, naming: Naming): Record<string, unknown> {
  const { type, name, index, module, ...rest } = naming(address);
  return {
    address: rest.address,
    ...(module === '' ? {} : { module_address: module }),
    mode: 'managed',
    type,
    name,
    ...(index === undefined ? {} : { index }),
    provider_name: PROVIDER,
  };
}

export function byTerraformAddress(
  naming: Naming,
): (a: { readonly address: Address }, b: { readonly address: Address }) => number {
  return (a, b) => (naming(a.address).address < naming(b.address).address ? -1 : 1);
}

/** Stands where a secret was. */
export const SENSITIVE = '(sensitive value)';
