/** Making a container again from its files: what its supervisor has criu do in place of a start. */
import { TsboxError } from '../../errors.ts';
import { CRIU_FDS, criuErrors } from '../../kernel/criu.ts';
import { NAMESPACE_TYPES, type RootOp, type SuperviseSpec } from '../../kernel/init-spec.ts';
import { freshDirectory, readText, removePath, writePrivate } from '../../kernel/private-files.ts';
import { findProgram } from '../../kernel/program.ts';
import { namespaceKey, requireCriu } from './dump.ts';
import { IMAGES, META_FILE, parseMeta, UPPER_FILE, type CheckpointMeta, type Restore } from './meta.ts';

/** Reads a checkpoint. @throws TsboxError TSB3020 */
export function readCheckpoint(directory: string): CheckpointMeta {
  const text = readText(`${directory}/${META_FILE}`);
  if (text === undefined) {
    throw new TsboxError('TSB3020', `there is no checkpoint in ${directory}`, {
      hint: 'tsbox checkpoint makes one; --dir says where',
    });
  }
  return parseMeta(text, `${directory}/${META_FILE}`);
}

/**
 * Builds the root in a mount namespace that only criu sees, and runs criu there. Arguments: stage, checkpoint, how
 * ('bind', 'rbind' or 'overlay'), source or lower directory, mount options of the overlay, flags of the mount, criu….
 * The saved files go into the empty upper directory, where no symbolic link of the lower one can lead them elsewhere.
 */
const STAGE = `set -e
stage=$1 from=$2 how=$3 source=$4 options=$5 flags=$6
shift 6
mount -t tmpfs -o mode=0755 tsbox "$stage"
mkdir "$stage/root"
if [ "$how" = overlay ]; then
  mkdir "$stage/upper" "$stage/work"
  chown --reference="$source" "$stage/upper"
  chmod --reference="$source" "$stage/upper"
  tar --extract --file "$from/${UPPER_FILE}" --directory "$stage/upper" --preserve-permissions --numeric-owner --xattrs --xattrs-include='*'
  cd "$stage/upper"
  xargs -0 -r mkdir -p < "$from/directories"
  xargs -0 -r touch < "$from/files"
  xargs -0 -r -I{} mknod {} c 0 0 < "$from/removed"
  cd /
  mount -t overlay -o "$options" overlay "$stage/root"
else
  mount "--$how" "$source" "$stage/root"
fi
mount -o "remount,bind,$flags" "$stage/root"
exec "$@"
`;

function escaped(path: string): string {
  return path.replace(/[\\,:]/g, '\\$&');
}

/** The way from a root operation of the description to the arguments of STAGE. */
function stageArguments(ops: readonly RootOp[], stage: string): string[] {
  const [first] = ops;
  if (first?.op !== 'root-bind' && first?.op !== 'root-overlay') {
    throw new TsboxError('TSB3020', `a root made by '${first?.op}' cannot be made again for criu`);
  }
  const readonly = first.ro === true || ops.some((o) => o.op === 'root-readonly');
  const flags = [
    readonly ? 'ro' : 'rw',
    first.nosuid === true ? 'nosuid' : 'suid',
    first.nodev === true ? 'nodev' : 'dev',
  ];
  if (first.op === 'root-bind') {
    return [first.recursive ? 'rbind' : 'bind', first.source, '', flags.join(',')];
  }
  const [lower] = first.lower;
  if (lower === undefined || first.lower.length !== 1 || first.upper !== '') {
    throw new TsboxError('TSB3020', 'its root is an overlay of several directories or has a layer of its own');
  }
  const options = `lowerdir=${escaped(lower)},upperdir=${escaped(`${stage}/upper`)},workdir=${escaped(`${stage}/work`)}`;
  return ['overlay', lower, options, flags.join(',')];
}

/** What the supervisor is told. Leaves nothing but files in the checkpoint's own directory. */
export async function restoreSpec(
  restore: Restore,
  ops: readonly RootOp[],
): Promise<NonNullable<SuperviseSpec['restore']>> {
  const { directory, meta } = restore;
  const criu = await requireCriu();
  const stage = `${directory}/stage`;
  const pidFile = `${directory}/pid`;
  freshDirectory(stage);
  // criu makes it, and takes none that is there.
  removePath(pidFile);
  const own = meta.applied['namespace.mnt'] !== 'host';
  const argv = [
    criu,
    'restore',
    ...['--restore-detached', '--images-dir', `${directory}/${IMAGES}`, '-o', 'restore.log', '-v4'],
    ...['--manage-cgroups=none', '--pidfile', pidFile],
    ...(own ? ['--root', `${stage}/root`] : []),
    ...meta.mounts.flatMap((m) => ['--external', `mnt[${m.target}]:${m.source}`]),
    ...meta.fds.flatMap((f) => ['--inherit-fd', `fd[${CRIU_FDS[f.fd]}]:${f.key}`]),
    ...meta.namespaces.flatMap(({ type, way }) => {
      const fd = CRIU_FDS.namespace + NAMESPACE_TYPES.indexOf(type);
      return way === 'external'
        ? ['--inherit-fd', `fd[${fd}]:${namespaceKey(type)}`]
        : ['--join-ns', `${type}:/proc/self/fd/${fd}`];
    }),
    ...meta.options,
  ];
  if (!own) {
    return { argv, pidFile };
  }
  const list = (name: string, paths: readonly string[]): void =>
    writePrivate(`${directory}/${name}`, paths.map((p) => `./${p}\0`).join(''));
  const points = meta.upper?.mountpoints ?? [];
  list(
    'directories',
    points.filter((p) => p.directory).map((p) => p.path),
  );
  list(
    'files',
    points.filter((p) => !p.directory).map((p) => p.path),
  );
  list('removed', meta.upper?.removed ?? []);
  const unshare = findProgram('unshare');
  const shell = findProgram('sh');
  if (unshare === undefined || shell === undefined) {
    throw new TsboxError('TSB3020', 'unshare is not installed, and the root is made with it', {
      hint: 'it is in util-linux',
    });
  }
  const staged = [stage, directory, ...stageArguments(ops, stage)];
  return {
    argv: [unshare, '--mount', '--propagation', 'private', shell, '-c', STAGE, 'stage', ...staged, ...argv],
    pidFile,
  };
}

/** The failure with what criu wrote of it. */
export function restoreFailure(error: unknown, restore: Restore): unknown {
  if (!(error instanceof TsboxError) || error.info.syscall !== 'restore') {
    return error;
  }
  const log = `${restore.directory}/${IMAGES}/restore.log`;
  const errors = criuErrors(readText(log) ?? '');
  return new TsboxError(
    'TSB3020',
    errors.length > 0 ? `criu restore: ${errors.join('; ')}` : `${error.message}: criu did not get as far as a log`,
    {
      hint: errors.length > 0 ? `all of it is in ${log}` : 'its root could not be made again',
      subject: log,
      cause: error,
    },
  );
}
