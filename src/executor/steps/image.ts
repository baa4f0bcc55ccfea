/** Bringing an image: fetched where it has to be, its layers unpacked, and what it says made part of the container. */
import { TsboxError } from '../../errors.ts';
import { fileSignature } from '../../kernel/image-files.ts';
import { declareContainer } from '../../resources/container/declare.ts';
import { packedParts, packedText, withImage, type Packed } from '../../resources/container/image.ts';
import type { ImageUse } from '../../resources/container/rootfs.ts';
import type { ContainerSpec } from '../../resources/container/schema.ts';
import { findImage, storedName } from '../../resources/image/find.ts';
import type { Label } from '../../resources/label.ts';
import { platformOf, referenceText } from '../../resources/image/reference.ts';
import type { LabelDraft, Step } from '../../resources/step.ts';
import type { ExecutionContext } from '../context.ts';

/**
 * Makes everything ready for a container to start from its image, and for images to be mounted in it.
 * @throws TsboxError TSB3006 when a reference leads elsewhere than when the plan was made
 */
export async function prepareImage(
  context: ExecutionContext,
  step: Pick<Extract<Step, { op: 'image' }>, 'container' | 'digests'>,
): Promise<void> {
  const { kernel, stack, cache } = context;
  const raw = stack?.containers.get(step.container);
  const parts = raw === undefined ? [] : packedParts(raw);
  if (stack === undefined || raw === undefined || parts.length === 0) {
    return;
  }
  await kernel.images.use();
  for (const { packed } of parts) {
    if (packed.kind === 'image') {
      await fetchIfNeeded(context, packed.use);
    }
  }
  const told: string[] = [];
  for (const { target, packed } of packedParts(withImage(raw, kernel))) {
    const found = await unpackFound(context, packed, step.digests[target] ?? null);
    const { unpacked, count } = found;
    const where = target === '/' ? '' : ` on ${target}`;
    told.push(
      `image ${found.digest.slice(7, 19)}${where}: ${unpacked} of ${count} layers unpacked, ${count - unpacked} there already`,
    );
  }
  const spec = withImage(raw, kernel);
  cache.specs.set(step.container, spec);
  const resolved = { ...stack, containers: new Map(stack.containers).set(step.container, spec) };
  const { desired } = declareContainer(spec, resolved, kernel, () => undefined);
  cache.resolved.set(`container/${step.container}`, desired);
  cache.note?.(step.container, told.join('; '));
}

/** Unpacks what is not yet, and enters it in the store's index. */
async function unpackFound(
  { kernel }: ExecutionContext,
  packed: Packed,
  planned: string | null,
): Promise<{ readonly digest: string; readonly unpacked: number; readonly count: number }> {
  const { found } = packed;
  if (found === null) {
    throw new TsboxError('TSB1010', `${packedText(packed)} is not there`);
  }
  const always = packed.kind === 'image' && packed.use.pull === 'always';
  if (planned !== null && found.digest !== planned && !always) {
    throw new TsboxError('TSB3006', `${packedText(packed)} was ${planned} when the plan was made`);
  }
  let unpacked = 0;
  const lowers: string[] = [];
  for (const layer of found.layers) {
    if ((await kernel.images.unpack(layer, lowers)) !== undefined) {
      unpacked++;
    }
    lowers.unshift(kernel.images.directory(layer.key));
  }
  if (packed.kind === 'tar') {
    const file = fileSignature(packed.path);
    const mediaType = 'application/vnd.oci.image.layer.v1.tar';
    const { digest, size } = found;
    await kernel.images.record(`tar:${packed.path}`, { mediaType, digest, size }, found.documents);
    if (file !== undefined) {
      kernel.images.remember(packed.path, file.signature, digest);
    }
  } else if (packed.use.reference.transport !== 'docker') {
    const { reference, platform } = packed.use;
    const saved = reference.transport === 'docker-archive';
    const mediaType = `application/vnd.oci.image.${saved ? 'config' : 'manifest'}.v1+json`;
    // The line of a saved image leads to its configuration, which says nothing of sizes: all of it is told here.
    const size = saved ? found.size : (found.documents.get(found.digest)?.length ?? 0);
    const line = { mediaType, digest: found.digest, size };
    await kernel.images.record(storedName(reference, platform ?? platformOf(kernel.arch)), line, found.documents);
  }
  return { digest: found.digest, unpacked, count: found.layers.length };
}

async function fetchIfNeeded(context: ExecutionContext, use: ImageUse): Promise<void> {
  const { kernel } = context;
  const { reference, platform, pull, tlsVerify } = use;
  if (reference.transport !== 'docker') {
    return;
  }
  const there = findImage(kernel, reference, platform) !== undefined;
  if (there && pull !== 'always') {
    return;
  }
  if (pull === 'never') {
    throw new TsboxError('TSB1010', `${referenceText(reference)} is not fetched, and pull: never says not to`);
  }
  const name = storedName(reference, platform ?? platformOf(kernel.arch));
  const running = context.cache.fetches.get(name);
  if (running !== undefined) {
    return running;
  }
  // skopeo takes a tag or a digest, not both: the digest says it all.
  const source =
    reference.digest === null ? referenceText(reference) : `docker://${reference.name}@${reference.digest}`;
  const fetching = kernel.images.fetch({ source, platform, tlsVerify, name });
  context.cache.fetches.set(name, fetching);
  return fetching;
}

/** The spec of a container with its image, as it was started in this run or is to be had. */
export function specWithImage(context: ExecutionContext, spec: ContainerSpec): ContainerSpec {
  return context.cache.specs.get(spec.name) ?? withImage(spec, context.kernel);
}

/** A label with what the plan could not know yet. */
export function withResolved(context: ExecutionContext, label: LabelDraft): LabelDraft {
  const resolved = context.cache.resolved.get(label.address);
  return resolved === undefined || label.applied === null
    ? label
    : { ...label, applied: resolved as NonNullable<Label['applied']> };
}
