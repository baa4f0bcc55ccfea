/**
 * Addresses as Terraform's readers expect them: container/web[0] is tsbox_container.web[0]. What lies below a cgroup
 * has its path as a key, as an instance of for_each has: cgroup/tenants/api is tsbox_cgroup.tenants["api"].
 */
import { parseReplica } from '../../resources/container/replica-names.ts';
import type { Address } from '../../resources/kind.ts';

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

/** An instance of for_each: web["eu"]. */
const KEYED = /^(.+)\["((?:[^"\\]|\\.)*)"\]$/;

export function terraformName(address: Address): TerraformName {
  const [kind = '', rest = ''] = address.split(/\/(.*)/s);
  const type = `tsbox_${kind}`;
  const { name, index } = partsOf(kind, rest);
  const key = index === undefined ? '' : typeof index === 'number' ? `[${index}]` : `[${JSON.stringify(index)}]`;
  const resource = `${type}.${name}${key}`;
  return { address: resource, module: '', resource, type, name, index };
}

function partsOf(kind: string, rest: string): { name: string; index: number | string | undefined } {
  const replica = parseReplica(rest);
  if (replica !== undefined) {
    return { name: replica.container, index: replica.index };
  }
  const keyed = KEYED.exec(rest);
  if (keyed !== null) {
    return { name: keyed[1] ?? rest, index: keyed[2] };
  }
  const slash = kind === 'cgroup' ? rest.indexOf('/') : -1;
  return slash < 0 ? { name: rest, index: undefined } : { name: rest.slice(0, slash), index: rest.slice(slash + 1) };
}

/** What every entry of a Terraform document says of its resource. */
export function resourceHead(address: Address): Record<string, unknown> {
  const { type, name, index, module, ...rest } = terraformName(address);
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

export function byTerraformAddress(a: { readonly address: Address }, b: { readonly address: Address }): number {
  return terraformName(a.address).address < terraformName(b.address).address ? -1 : 1;
}

/** Stands where a secret was. */
export const SENSITIVE = '(sensitive value)';
