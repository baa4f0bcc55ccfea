// Writes docs/schema: npm run schema. The unit test 'schemas' says when it is time to.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
mkdirSync(join(root, 'build'), { recursive: true });
const work = mkdtempSync(join(root, 'build', 'schema-'));
try {
  const outfile = join(work, 'all.mjs');
  await build({
    entryPoints: [join(root, 'scripts', 'schema', 'all.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    logLevel: 'warning',
  });
  const { allSchemas } = await import(pathToFileURL(outfile).href);
  const directory = join(root, 'docs', 'schema');
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of allSchemas()) {
    writeFileSync(join(directory, name), text);
    console.log(`docs/schema/${name}: ${text.length} bytes`);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
