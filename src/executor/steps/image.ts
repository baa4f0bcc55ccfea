/** Bringing an image: fetched where it has to be, its layers unpacked, and what it says made part of the container. */
import { TsboxError } from '../../errors.ts';
import { fileSignature } from '../../kernel/image-files.ts';
import { declareContainer } from '../../resources/container/declare.ts';
import { packedRoot, withImage } from '../../resources/container/image.ts';
import { sourceText, type ImageUse } from '../../resources/container/rootfs.ts';
import type { ContainerSpec } from '../../resources/container/schema.ts';
import { findImage, storedName } from '../../resources/image/find.ts';
import type { Label } from '../../resources/label.ts';
import { referenceText } from '../../resources/image/reference.ts';
import type { LabelDraft, Step } from '../../resources/step.ts';
import type { ExecutionContext } from '../context.ts';

/**
 * Makes everything ready for a container to start from its image.
 * @throws TsboxError TSB3006 when the reference leads elsewhere than when the plan was made
 */
export async function prepareImage(
  context: ExecutionContext,
  step: Pick<Extract<Step, { op: 'image' }>, 'container' | 'digest'>,
): Promise<void> {
  const { kernel, stack, cache } = context;
  const raw = stack?.containers.get(step.container);
  const rootfs = raw === undefined ? undefined : packedRoot(raw);
  if (stack === undefined || raw === undefined || rootfs === undefined) {
    return;
  }
  await kernel.images.use();
  const always = rootfs.kind === 'image' && rootfs.use.pull === 'always';
  if (rootfs.kind === 'image') {
    await fetchIfNeeded(context, rootfs.use);
  }
  const planned = withImage(raw, kernel);
  const found = packedRoot(planned)?.found ?? null;
  if (found === null) {
    throw new TsboxError('TSB1010', `${sourceText(rootfs)} is not there`);
  }
  if (step.digest !== null && found.digest !== step.digest && !always) {
    throw new TsboxError(
      'TSB3006',
      `${sourceText(rootfs)} was ${step.digest} when the plan was made, and is ${found.digest}`,
    );
  }
  let unpacked = 0;
  const lowers: string[] = [];
  for (const layer of found.layers) {
    if ((await kernel.images.unpack(layer, lowers)) !== undefined) {
      unpacked++;
    }
    lowers.unshift(kernel.images.directory(layer.key));
  }
  if (rootfs.kind === 'tar') {
    const file = fileSignature(rootfs.path);
    const mediaType = 'application/vnd.oci.image.layer.v1.tar';
    await kernel.images.record(
      `tar:${rootfs.path}`,
      { mediaType, digest: found.digest, size: found.size },
      found.documents,
    );
    if (file !== undefined) {
      kernel.images.remember(rootfs.path, file.signature, found.digest);
    }
  } else if (rootfs.use.reference.transport !== 'docker') {
    const { reference, platform } = rootfs.use;
    const saved = reference.transport === 'docker-archive';
    const mediaType = `application/vnd.oci.image.${saved ? 'config' : 'manifest'}.v1+json`;
    // The line of a saved image leads to its configuration, which says nothing of sizes: all of it is told here.
    const size = saved ? found.size : (found.documents.get(found.digest)?.length ?? 0);
    await kernel.images.record(
      storedName(reference, platform),
      { mediaType, digest: found.digest, size },
      found.documents,
    );
  }
  const spec = withImage(raw, kernel);
  cache.specs.set(step.container, spec);
  const resolved = { ...stack, containers: new Map(stack.containers).set(step.container, spec) };
  const { desired } = declareContainer(spec, resolved, kernel, () => undefined);
  cache.resolved.set(`container/${step.container}`, desired);
  const count = found.layers.length;
  cache.note?.(
    step.container,
    `image ${found.digest.slice(7, 19)}: ${unpacked} of ${count} layers unpacked, ${count - unpacked} there already`,
  );
}

async function fetchIfNeeded(context: ExecutionContext, use: ImageUse): Promise<void> {
  const { kernel } = context;
  const { reference, platform, pull, tlsVerify } = use;
  if (reference.transport !== 'docker') {
    return;
  }
  const there = findImage(kernel.settings.stateDir, reference, platform) !== undefined;
  if (there && pull !== 'always') {
    return;
  }
  if (pull === 'never') {
    throw new TsboxError('TSB1010', `${referenceText(reference)} is not fetched, and pull: never says not to`);
  }
  const name = storedName(reference, platform);
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
