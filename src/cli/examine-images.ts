/** What images need: programs that fetch and unpack, and a file system for the layers. */
import { fileSystemOf, idmapSupport } from '../kernel/filesystems.ts';
import { findProgram } from '../kernel/program.ts';
import type { KernelReader } from '../kernel/reader.ts';
import type { Finding } from './examine.ts';

const PROGRAMS = [
  { name: 'skopeo', use: 'image: docker://…', without: 'images of registries cannot be fetched', from: 'skopeo' },
  { name: 'zstd', use: 'layers and archives in zstd', without: 'such layers cannot be unpacked', from: 'zstd' },
  { name: 'xz', use: 'archives in xz', without: 'such archives cannot be unpacked', from: 'xz-utils' },
] as const;

export function imageFindings(reader: KernelReader): Finding[] {
  const programs = PROGRAMS.map(({ name, use, without, from }): Finding => {
    const path = findProgram(name);
    return path === undefined
      ? {
          what: name,
          status: 'limited',
          detail: `not on the PATH: ${without}`,
          essential: false,
          remedy: `apt install ${from}`,
        }
      : { what: name, status: 'ok', detail: `${path}: ${use}`, essential: false };
  });
  return [...programs, stateFinding(reader)];
}

/** The state directory, or the nearest above it that is there. */
function existing(path: string, reader: KernelReader): string {
  const there = path === '' || typeof reader.stats([path])[0] === 'object';
  return there ? path || '/' : existing(path.slice(0, path.lastIndexOf('/')), reader);
}

function stateFinding(reader: KernelReader): Finding {
  const { stateDir } = reader.settings;
  const mountinfo = reader.readFiles(['/proc/self/mountinfo'])[0];
  const fstype =
    fileSystemOf(reader.realPath(existing(stateDir, reader)), typeof mountinfo === 'string' ? mountinfo : '') ??
    'unknown';
  const finding = { what: 'state directory', essential: false } as const;
  const remedy = 'set TSBOX_STATE_DIR to a directory on ext4, xfs or btrfs';
  if (fstype === 'overlay') {
    // Documentation/filesystems/overlayfs.rst: an upper directory has to keep trusted xattrs and d_type.
    const detail = `${stateDir} is on overlayfs: nothing below it can be the upper of a root, and layers are not idmapped`;
    return { ...finding, status: 'limited', detail, remedy };
  }
  return idmapSupport(fstype, reader.release) === 'no'
    ? {
        ...finding,
        status: 'limited',
        detail: `${stateDir} is on ${fstype}, which ${reader.release} does not idmap: images in user namespaces show nobody's files`,
        remedy,
      }
    : { ...finding, status: 'ok', detail: `${stateDir} on ${fstype}: layers, volumes`, essential: false };
}
