import type { Command } from '../main.ts';
import { numberOption, type Arguments } from '../args.ts';
import { EXIT } from '../exit.ts';
import { TsboxError } from '../../errors.ts';
import { out, err } from '../output.ts';
import { requirePrivileges } from '../session.ts';

export const command: Command = {
  options: ['json', 'dry-run', 'auto-approve', 'lock-timeout'],
  usage: 'tsbox images [--json]\ntsbox images prune [--dry-run] [--auto-approve] [--lock-timeout SECONDS] [--json]',
  help: [
    'Lists the images in the store: their digests, how large they are as packed, how many layers each has and shares',
    'with others, and which containers of which stacks have them, as a root or as a mount.',
    '`prune` removes the images that no container has, and layers and packed blobs that belong to no other image. What',
    'is in use is told by the labels of all cgroups and the mounts of all processes, whoever made them; a stopped',
    'container has its image still. It asks first, and does nothing while an apply is at work with the store.',
  ].join('\n'),
  async run(args) {
    const [verb, ...rest] = args.positionals;
    if (rest.length > 0 || (verb !== undefined && verb !== 'prune')) {
      throw new TsboxError('TSB2001', `images takes no '${rest[0] ?? verb}'`, {
        hint: 'tsbox images, or tsbox images prune',
      });
    }
    return verb === 'prune' ? prune(args) : list(args);
  },
};

async function list(args: Arguments): Promise<number> {
  const { openReader } = await import('../../kernel/reader.ts');
  const { storeUse, unused } = await import('../../resources/image/usage.ts');
  const { imagesJson, imagesText } = await import('../images-text.ts');
  const reader = openReader(process.env);
  requirePrivileges(reader, 'images');
  const use = storeUse(reader);
  if (args.flags.json === true) {
    out(`${JSON.stringify(imagesJson(reader.settings.stateDir, use), null, 2)}\n`);
  } else {
    out(imagesText(use, unused(reader.settings.stateDir, use)));
  }
  return EXIT.ok;
}

async function prune(args: Arguments): Promise<number> {
  const { openKernel } = await import('../../kernel/kernel.ts');
  const { storeUse, unused } = await import('../../resources/image/usage.ts');
  const { pruneImages } = await import('../../executor/prune.ts');
  const { garbageJson, garbageText } = await import('../images-text.ts');
  const { confirm } = await import('../confirm.ts');
  const kernel = openKernel(process.env);
  requirePrivileges(kernel, 'images prune');
  const { stateDir } = kernel.settings;
  const garbage = unused(stateDir, storeUse(kernel));
  const dry = args.flags['dry-run'] === true;
  const json = args.flags.json === true;
  const told = garbageJson(stateDir, garbage);
  if (!json) {
    out(garbageText(told));
  }
  const nothing = told.images.length + told.layers.length + told.blobs.length === 0;
  if (dry || nothing) {
    if (json) {
      out(`${JSON.stringify({ dry_run: dry, ...told }, null, 2)}\n`);
    }
    return EXIT.ok;
  }
  if (
    args.flags['auto-approve'] !== true &&
    !(await confirm('images prune', undefined, 'Do you want to remove them?'))
  ) {
    err('Not approved: nothing was removed.\n');
    return EXIT.error;
  }
  const removed = await pruneImages(kernel, garbage, numberOption(args, 'lock-timeout', 0, 0, 86_400) * 1000);
  // Measured before: it is not there any more.
  const done = {
    ...told,
    images: told.images.filter((i) => removed.images.some((r) => r.digest === i.digest && r.name === i.name)),
    layers: removed.layers.flatMap((key) => told.layers.filter((l) => l.key === key)),
    blobs: removed.blobs.flatMap((digest) => told.blobs.filter((b) => b.digest === digest)),
  };
  const bytes = [...done.layers, ...done.blobs].reduce((sum, part) => sum + part.bytes, 0);
  if (json) {
    out(`${JSON.stringify({ dry_run: false, ...done, bytes }, null, 2)}\n`);
  } else {
    const { formatBytes } = await import('../../resources/units.ts');
    out(
      `Removed ${done.images.length} images, ${done.layers.length} layers, ${done.blobs.length} blobs: ${formatBytes(bytes)}.\n`,
    );
  }
  return EXIT.ok;
}
