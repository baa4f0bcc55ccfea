/** Removing from the store of images what nothing uses. */
import { TsboxError } from '../errors.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { forgetFiles, removeTrees, takeOut } from '../kernel/store-contents.ts';
import { lineOf, storeUse, unused, type Garbage } from '../resources/image/usage.ts';

/**
 * Removes what was shown and is unused still, as the kernel has it while nobody else can use the store.
 * @throws TsboxError TSB3004 while an apply uses the store, TSB3011 when it cannot be told what a container is made of
 */
export async function pruneImages(kernel: Kernel, shown: Garbage, timeoutMs: number): Promise<Garbage> {
  const { stateDir } = kernel.settings;
  const approved = { layers: new Set(shown.layers), blobs: new Set(shown.blobs) };
  const lines = new Set(shown.images.map((i) => i.line));
  const { done, trees } = await kernel.images.alone(timeoutMs, async () => {
    const use = storeUse(kernel);
    if (use.unclear.length > 0) {
      throw new TsboxError(
        'TSB3011',
        `it cannot be told what ${use.unclear.join(', ')} is made of: an apply did not end`,
        {
          hint: 'apply its stack again, or destroy it',
        },
      );
    }
    const now = unused(stateDir, use);
    const done: Garbage = {
      images: now.images.filter((i) => lines.has(i.line)),
      layers: now.layers.filter((l) => approved.layers.has(l)),
      blobs: now.blobs.filter((b) => approved.blobs.has(b)),
    };
    const gone = new Set(done.images.map((i) => i.line));
    if (gone.size > 0) {
      // The index first: what it names is never missing.
      await kernel.images.forget((image) => gone.has(lineOf(image)));
    }
    forgetFiles(stateDir, new Set(use.images.filter((i) => i.usedBy.length > 0).map((i) => i.digest)));
    return { done, trees: takeOut(stateDir, done) };
  });
  removeTrees(trees);
  return done;
}
