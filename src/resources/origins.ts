/** Where a resource of a stack comes from: the modules it is in, and the item with for_each that it is an instance of. */
import type { Address } from './kind.ts';

/** A name of the file, and the key of for_each that made this instance of it. */
export interface Named {
  readonly name: string;
  readonly key?: string;
}

export interface Origin extends Named {
  /** The modules around it, the outermost first. */
  readonly modules: readonly Named[];
}

/** By address, for what is in a module or has for_each: replicas by that of all of them, cgroups those at the top. */
export type Origins = Readonly<Record<Address, Origin>>;

/** A key of for_each, which has no dots. */
const KEY = '([A-Za-z0-9_][A-Za-z0-9_-]*)';

function patternOf({ name, key }: Named): string {
  return name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&') + (key === undefined ? '' : `\\.${KEY}`);
}

interface Rule {
  readonly pattern: RegExp;
  readonly like: Origin;
  /** Whether what is left of the address is the name. */
  readonly rest: boolean;
}

/** Rules for what is not there any more, from what is of the same item, then of the same module, the deepest first. */
function rulesOf(origins: Origins): Rule[] {
  const rules = new Map<string, Rule>();
  const add = (kind: string, named: readonly Named[], like: Origin, rest: boolean): void => {
    const text = `^${kind}/${named.map(patternOf).join('\\.')}${rest ? '\\.(.+)' : ''}$`;
    rules.set(text, { pattern: new RegExp(text), like, rest });
  };
  const all = Object.entries(origins);
  for (const [address, origin] of all) {
    if (origin.key !== undefined) {
      add(address.slice(0, address.indexOf('/')), [...origin.modules, origin], origin, false);
    }
  }
  for (const [, origin] of all.sort(([, a], [, b]) => b.modules.length - a.modules.length)) {
    if (origin.modules.length > 0) {
      add('[a-z]+', origin.modules, { modules: origin.modules, name: '' }, true);
    }
  }
  return [...rules.values()];
}

/** A function from addresses to where they come from; also for what has left a module or a for_each that is still there. */
export function originFinder(origins: Origins = {}): (address: Address) => Origin {
  let rules: readonly Rule[] | undefined;
  return (address) => {
    const known = Object.hasOwn(origins, address) ? origins[address] : undefined;
    if (known !== undefined) {
      return known;
    }
    rules ??= rulesOf(origins);
    for (const { pattern, like, rest } of rules) {
      const found = pattern.exec(address)?.slice(1);
      if (found !== undefined) {
        const named = (n: Named): Named => (n.key === undefined ? n : { name: n.name, key: found.shift() ?? '' });
        const modules = like.modules.map(named);
        return { modules, ...(rest ? { name: found.shift() ?? '' } : named({ name: like.name, key: '' })) };
      }
    }
    return { modules: [], name: address.slice(address.indexOf('/') + 1) };
  };
}
