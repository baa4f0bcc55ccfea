/** What files say whose contents stand as digests in a plan: configs, where the old one can be read and both are text. */
import type { KernelReader } from '../kernel/reader.ts';
import { entriesOf } from '../resources/attribute.ts';
import { contentDigest, contentOf, MAX_CONTENT } from '../resources/files.ts';
import type { Address, AttributeChange, Observed } from '../resources/kind.ts';
import type { Stack } from '../stack/types.ts';
import type { Draft } from './cascade.ts';

type Contents = NonNullable<AttributeChange['contents']>;

/** Adds them to the changes of `configs`. Secrets are never read for show. */
export function addContents(
  reader: KernelReader,
  drafts: Map<Address, Draft>,
  stack: Stack | undefined,
  observed: ReadonlyMap<Address, Observed>,
): void {
  for (const [address, draft] of drafts) {
    const pid = observed.get(address)?.facts['pid'];
    if (pid === undefined || !draft.attributes.some(hasBoth)) {
      continue;
    }
    const attributes = draft.attributes.map((change) => {
      const contents = hasBoth(change) ? contentsOf(reader, address, pid, change, stack) : {};
      return Object.keys(contents).length === 0 ? change : { ...change, contents };
    });
    drafts.set(address, { ...draft, attributes });
  }
}

function hasBoth({ name, before, after }: AttributeChange): boolean {
  return name === 'configs' && before !== undefined && after !== undefined;
}

function contentsOf(
  reader: KernelReader,
  address: Address,
  pid: string,
  change: AttributeChange,
  stack: Stack | undefined,
): Contents {
  const [before, after] = [entriesOf(change.before), entriesOf(change.after)];
  const uses = stack?.containers.get(address.slice(address.indexOf('/') + 1))?.configs ?? [];
  const differing = uses.filter((u) => before[u.target] !== undefined && before[u.target] !== after[u.target]);
  const files = reader.readInRoot(
    `/proc/${pid}/root`,
    differing.map((u) => u.target),
    MAX_CONTENT,
  );
  return Object.fromEntries(
    differing.flatMap(({ target, source }, i) => {
      const spec = stack?.configs.get(source);
      const fresh = spec === undefined ? '' : contentOf(spec);
      const file = files[i];
      if (typeof file !== 'object' || typeof fresh === 'string') {
        return [];
      }
      const [was, is] = [textOf(file.content), textOf(fresh)];
      // It may have been written to since the plan's values were read.
      const same = before[target]?.includes(contentDigest(file.content, false, reader.bootId)) === true;
      return was === undefined || is === undefined || was === is || !same
        ? []
        : [[target, { before: was, after: is }] as const];
    }),
  );
}

/** Text of bytes; undefined for what is none. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return text.includes('\0') ? undefined : text;
  } catch {
    return undefined;
  }
}
