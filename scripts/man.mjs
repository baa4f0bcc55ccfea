// Writes docs/man/tsbox.1: npm run man. The unit test 'man' says when it is time to.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
mkdirSync(join(root, 'build'), { recursive: true });
const work = mkdtempSync(join(root, 'build', 'man-'));
try {
  const outfile = join(work, 'page.mjs');
  await build({
    entryPoints: [join(root, 'scripts', 'man', 'page.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    logLevel: 'warning',
  });
  const { manualPage } = await import(pathToFileURL(outfile).href);
  const page = await manualPage();
  mkdirSync(join(root, 'docs', 'man'), { recursive: true });
  writeFileSync(join(root, 'docs', 'man', 'tsbox.1'), page);
  console.log(`docs/man/tsbox.1: ${page.length} bytes`);
} finally {
  rmSync(work, { recursive: true, force: true });
}
