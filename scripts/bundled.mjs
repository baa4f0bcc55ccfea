// A TypeScript module of the repository, bundled for this one use and imported; what is made for it goes again.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

export async function withModule(entry, use) {
  mkdirSync(join(root, 'build'), { recursive: true });
  const work = mkdtempSync(join(root, 'build', 'bundled-'));
  try {
    const outfile = join(work, 'module.mjs');
    await build({
      entryPoints: [join(root, entry)],
      outfile,
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'esm',
      packages: 'external',
      logLevel: 'warning',
    });
    await use(await import(pathToFileURL(outfile).href));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
