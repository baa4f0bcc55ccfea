/** Resources of modules as Terraform nests them: child_modules by their addresses. */

type Resource = Readonly<Record<string, unknown>>;

export interface ModuleJson {
  readonly address?: string;
  readonly resources: readonly Resource[];
  readonly child_modules?: readonly ModuleJson[];
}

/** `shop["a.b"]` has one part, `module.shop["a"].module.db` two. */
const STEP = /module\.(?:[^.["]|\["(?:[^"\\]|\\.)*"\])+/g;

/** @param resources each with its module_address, where it has one */
export function moduleTree(resources: readonly Resource[]): ModuleJson {
  const own = new Map<string, Resource[]>();
  for (const resource of resources) {
    const { module_address: module, ...rest } = resource;
    const at = typeof module === 'string' ? module : '';
    // Where a module has resources of inner modules only, it stands there all the same.
    const steps = at.match(STEP) ?? [];
    steps.forEach((_, i) => {
      const above = steps.slice(0, i).join('.');
      own.set(above, own.get(above) ?? []);
    });
    own.set(at, [...(own.get(at) ?? []), rest]);
  }
  const depthOf = (address: string): number => address.match(STEP)?.length ?? 0;
  const nested = (address: string): ModuleJson => {
    const below = [...own.keys()].filter(
      (a) => depthOf(a) === depthOf(address) + 1 && (address === '' || a.startsWith(`${address}.`)),
    );
    return {
      ...(address === '' ? {} : { address }),
      resources: own.get(address) ?? [],
      ...(below.length === 0 ? {} : { child_modules: below.sort().map(nested) }),
    };
  };
  return nested('');
}
