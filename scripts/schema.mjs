// Writes docs/schema: npm run schema. The unit test 'schemas' says when it is time to.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, withModule } from './bundled.mjs';

await withModule('scripts/schema/all.ts', ({ allSchemas }) => {
  const directory = join(root, 'docs', 'schema');
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of allSchemas()) {
    writeFileSync(join(directory, name), text);
    console.log(`docs/schema/${name}: ${text.length} bytes`);
  }
});
