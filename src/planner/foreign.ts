/** What stands where the stack has its own and is another stack's or installation's: nothing is planned then. */
import { TsboxErrors, type TsboxError } from '../errors.ts';
import type { KernelReader } from '../kernel/reader.ts';
import { belongsToAnother } from '../resources/ownership.ts';
import { directoryIn, type StackScope } from '../resources/scope.ts';
import type { Stack } from '../stack/types.ts';

/** @throws TsboxErrors TSB3007 with the first object of each other owner, naming both */
export function refuseForeign(reader: KernelReader, scope: StackScope, stack: Stack | undefined): void {
  const owner = { stack: scope.stack, installation: reader.installation };
  const taken = new Map([...(stack?.cgroups.values() ?? [])].map((c) => [c.location ?? c.path, c.path]));
  for (const { to, id } of stack?.blocks.import ?? []) {
    taken.set(id, to.slice(to.indexOf('/') + 1));
  }
  const errors = new Map<string, TsboxError>();
  for (const { path, label } of scope.foreign) {
    const whose = `${label.stack} ${label.installation ?? ''}`;
    const name = taken.get(path);
    // Elsewhere others may have what they like, save what the stack asks for.
    if (!errors.has(whose) && (!path.startsWith('/') || name !== undefined)) {
      const at =
        name === undefined ? undefined : stack?.locate(`cgroup/${name}`, path.startsWith('/') ? ['adopt'] : []);
      const where = directoryIn('', reader.settings.cgroupRoot, scope.stack, path);
      errors.set(whose, belongsToAnother(owner, where, label, at));
    }
  }
  if (errors.size > 0) {
    throw new TsboxErrors([...errors.values()]);
  }
}
