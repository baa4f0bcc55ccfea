// Writes dist/tsbox.cache: V8's compiled form of the bundle, with what a plan uses compiled already.
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const launcher = join(root, 'dist', 'tsbox');
// A command that only reads; what it says, and whether these privileges suffice, is of no interest here.
process.argv = [process.argv[0], launcher, 'plan', '-f', join(root, 'stacks', 'hello.yaml')];
process.stdout.write = () => true;
process.stderr.write = () => true;
process.on('exit', () => {
  writeFileSync(join(root, 'dist', 'tsbox.cache'), script.createCachedData());
  process.exitCode = 0;
});
// The launcher itself, so that the cache is made under the flags that it sets.
const script = createRequire(import.meta.url)(launcher);
