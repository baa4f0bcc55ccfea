/** What a plan says beside its changes: contents that go with a mount, owners elsewhere, volumes out of the file. */
import type { NamespaceType } from '../kernel/init-spec.ts';
import type { KernelReader } from '../kernel/reader.ts';
import type { Address, Declared, Observed } from '../resources/kind.ts';
import { entriesOf } from '../resources/attribute.ts';
import { isBelow } from '../resources/container/mounts/schema.ts';
import { namespaceFile } from '../resources/container/namespaces.ts';
import { rests, restingSince } from '../resources/container/rest.ts';
import type { StackScope } from '../resources/scope.ts';
import type { Step } from '../resources/step.ts';
import type { Draft } from './cascade.ts';

/** Targets whose tmpfs gives its place to another mount while the container goes on. */
function emptied(draft: Draft & { readonly steps: readonly Step[] }): string[] {
  const change = draft.attributes.find((c) => c.name === 'mounts');
  const made = draft.steps.flatMap((s) => (s.op === 'mounts' ? s.edits : [])).filter((e) => e.do === 'make');
  const [before, after] = [entriesOf(change?.before), entriesOf(change?.after)];
  return Object.keys(after)
    .filter((target) => before[target]?.startsWith('tmpfs ') === true && before[target] !== after[target])
    .filter((target) => made.some((e) => isBelow(target, e.target)));
}

export function mountWarnings(drafts: Iterable<Draft & { readonly steps: readonly Step[] }>): string[] {
  return [...drafts].flatMap((d) =>
    emptied(d).map((target) => `${d.address}: the tmpfs on ${target} is made anew: what is in it is lost`),
  );
}

/** Containers that stay as a person has left them. */
export function restWarnings(stack: string, drafts: Iterable<Draft>): string[] {
  return [...drafts]
    .filter((d) => rests(d.facts) && d.action !== 'delete')
    .map(
      ({ address, facts }) =>
        `${address} was stopped by hand at ${new Date(restingSince(facts)).toISOString()} and stays stopped (restart: unless-stopped): tsbox start ${address.replace('/', `/${stack}:`)}, or --replace, starts it`,
    );
}

/** What the attributes begin with that say which namespaces a container is in. */
const NAMESPACE = 'namespace.';

/** Owners of shared namespaces in other stacks that do not run: what waits for them here fails when it is started. */
export function ownerWarnings(reader: KernelReader, scope: StackScope, declared: Iterable<Declared>): string[] {
  return [...declared].flatMap(({ address, desired }) => {
    const types = new Map<string, NamespaceType[]>();
    for (const [name, use] of Object.entries(desired)) {
      if (name.startsWith(NAMESPACE) && typeof use === 'string' && isOfAnotherStack(use, scope.stack)) {
        types.set(use, [...(types.get(use) ?? []), name.slice(NAMESPACE.length) as NamespaceType]);
      }
    }
    return [...types].flatMap(([use, [first, ...more]]) =>
      first === undefined || namespaceFile(reader, scope, use, first) !== undefined
        ? []
        : [
            `${address}: ${use}, whose ${[first, ...more].join(', ')} namespace${more.length === 0 ? '' : 's'} it shares, does not run: until it does ${address} cannot be started`,
          ],
    );
  });
}

function isOfAnotherStack(use: string, stack: string): boolean {
  const [, other] = /^container\/([^:]+):/.exec(use) ?? [];
  return other !== undefined && other !== stack;
}

/** Volumes that outlive their place in the file. */
export function keptWarnings(observed: Iterable<Observed>, declared: ReadonlyMap<Address, Declared>): string[] {
  return [...observed]
    .filter((o) => o.kept === true && o.exists && !declared.has(o.address))
    .map(
      (o) =>
        `${o.address} is not in the file any more and is kept in ${o.facts['path'] ?? ''}: destroy --volumes removes it`,
    );
}
