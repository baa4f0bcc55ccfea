import type { Command } from '../main.ts';
import { EXIT } from '../exit.ts';
import { TsboxError } from '../../errors.ts';
import { err, out } from '../output.ts';
import { requirePrivileges } from '../session.ts';

const USAGE = 'tsbox cp CONTAINER:PATH PATH|-\ntsbox cp PATH|- CONTAINER:PATH';

export const command: Command = {
  options: ['stack'],
  usage: `${USAGE}\n         [--stack NAME]`,
  help: [
    'Copies files and directories out of a running container, or into it, as its user sees them: through its mounts, and',
    'no link in it leads further than its root, whoever changes it meanwhile. Owners (as the container sees them), modes,',
    'times and links are kept; set-id bits are not kept on the way out. Device nodes, sockets and pipes are left out and',
    'told.',
    '',
    '- instead of our PATH is a tar archive on standard output or input (packed with gzip, zstd and so on as well). One that is read',
    'is unpacked in a directory that is there, and nothing of it gets out of that: an entry that climbs is refused. Hard',
    'links and holes are kept. What is there already keeps its owner and mode where it is a directory, else is replaced.',
    '',
    'A PATH that is a directory takes the copy under its own name; SOURCE/. means what is in the directory. A container',
    'is web, web[0], STACK:web or container/STACK:web; a path beginning with / or ./ is never taken for one.',
  ].join('\n'),
  async run(args) {
    const [source, target] = args.positionals;
    if (source === undefined || target === undefined || args.positionals.length !== 2) {
      throw new TsboxError('TSB2001', 'cp needs a source and a target', { hint: USAGE.replace('\n', ', or ') });
    }
    const from = inContainer(source);
    const to = inContainer(target);
    if ((from === undefined) === (to === undefined)) {
      throw new TsboxError('TSB2001', 'one of source and target is in a container, the other is not', {
        hint: USAGE.replace('\n', ', or '),
      });
    }
    const { openKernel } = await import('../../kernel/kernel.ts');
    const { ContainerRoot } = await import('../../kernel/container-root.ts');
    const { findTargets } = await import('../target.ts');
    const { containerPath, copy, openHere, openIn } = await import('../cp/copy.ts');
    const { idOutside, NOBODY } = await import('../cp/ids.ts');
    const { idInside, parseIdMap } = await import('../../kernel/proc.ts');
    const kernel = openKernel(process.env);
    requirePrivileges(kernel, 'cp');
    const { container, path } = (from ?? to) as InContainer;
    const [only, ...others] = findTargets(kernel, container, args.stack, 'container');
    if (only === undefined || others.length > 0) {
      throw new TsboxError('TSB2003', `'${container}' has several replicas`, { hint: `name one: ${container}[0]` });
    }
    const { pid = 0, startTime = '' } = only.entry.run ?? {};
    const root = new ContainerRoot(kernel, pid, startTime);
    try {
      const maps = kernel.readFiles([`/proc/${pid}/uid_map`, `/proc/${pid}/gid_map`]);
      const [uids = [], gids = []] = maps.map((m) => parseIdMap(typeof m === 'string' ? m : ''));
      const inside = containerPath(path);
      if (from === undefined) {
        kernel.setFsIds(idOutside(uids, 0), idOutside(gids, 0));
      }
      const { fromStdin, toStdout } = await import('../cp/stream.ts');
      const inwards = {
        owner: (uid: number, gid: number) => ({ uid: idOutside(uids, uid), gid: idOutside(gids, gid) }),
        setid: true,
      };
      const outwards = {
        owner: (uid: number, gid: number) => ({
          uid: idInside(uids, uid) ?? NOBODY,
          gid: idInside(gids, gid) ?? NOBODY,
        }),
        setid: false,
      };
      const copied =
        from === undefined
          ? source === '-'
            ? await fromStdin(kernel, root, inside, inwards)
            : copy(openHere, source, openIn(root), inside, inwards)
          : target === '-'
            ? toStdout(kernel, root, inside, outwards)
            : copy(openIn(root), inside, openHere, target, outwards);
      copied.skipped.forEach((what) => err(`not copied: ${what}\n`));
      if (args.flags.quiet !== true) {
        const said = `${copied.files} ${copied.files === 1 ? 'file' : 'files'} copied\n`;
        (target === '-' ? err : out)(said);
      }
      return copied.skipped.length === 0 ? EXIT.ok : EXIT.error;
    } finally {
      root.close();
    }
  },
};

interface InContainer {
  readonly container: string;
  readonly path: string;
}

/** CONTAINER:PATH, with the stack before it or not; undefined for a path of ours. */
function inContainer(text: string): InContainer | undefined {
  const match = /^(?![./])((?:container\/)?[^/:]+(?::(?!\/)[^/:]+(?=:))?):(.*)$/s.exec(text);
  return match === null ? undefined : { container: match[1] ?? '', path: match[2] === '' ? '/' : (match[2] ?? '/') };
}
