// Writes docs/man/tsbox.1: npm run man. The unit test 'man' says when it is time to.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, withModule } from './bundled.mjs';

await withModule('scripts/man/page.ts', async ({ manualPage }) => {
  const page = await manualPage();
  mkdirSync(join(root, 'docs', 'man'), { recursive: true });
  writeFileSync(join(root, 'docs', 'man', 'tsbox.1'), page);
  console.log(`docs/man/tsbox.1: ${page.length} bytes`);
});
