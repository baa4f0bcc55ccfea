/** Writes an OCI layout whose image has a shell and further layers of small files.  image DIRECTORY LAYERS FILES */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mkdtempSync, rmSync } from 'node:fs';
import { busyboxLayer, tar, writeImage } from '../test/support/image.ts';

const [directory = '', layers = '10', files = '200'] = process.argv.slice(2);
const root = mkdtempSync(join(tmpdir(), 'tsbox-bench-root-'));
try {
  const more = Array.from({ length: Number(layers) - 1 }, (_, layer) => ({
    tar: tar(
      Array.from({ length: Number(files) }, (_, n) => ({
        name: `data/${layer}-${n}`,
        data: `layer ${layer}, file ${n}\n`.repeat(100),
      })),
    ),
  }));
  writeImage(directory, 'bench', [{ tar: busyboxLayer(root) }, ...more], { Cmd: ['/bin/sleep', '1000000'] });
} finally {
  rmSync(root, { recursive: true, force: true });
}
