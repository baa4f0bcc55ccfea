/** What is at a path of a container as a tar archive, written as it is read. */
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { TsboxError } from '../../errors.ts';
import { padding, tarHeader, TAR_END, type OutEntry } from '../../kernel/tar/write.ts';
import { at, DEPTH, type Copied, type CopyRules, type Spot } from './tree.ts';

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

const CHUNK = 1 << 20;
/** Pieces of a sparse file, as offsets and lengths; the parsers of others have bounds, too. */
const NUMBERS = 20_000;

export interface TarOut {
  /** Takes all of it before it returns. */
  readonly write: (bytes: Buffer) => void;
  readonly rules: CopyRules;
  /** Offsets and lengths in turn of what is no hole. */
  readonly pieces: (fd: number, size: number, most: number) => readonly number[];
}

type LstatBig = import('node:fs').BigIntStats;

/** The name itself, or with `contents` what is in the directory, and the end of the archive. */
export function archive(from: Spot, contents: boolean, out: TarOut): Copied {
  const copied: Copied = { files: 0, skipped: [] };
  const links = new Map<string, string>();
  if (contents) {
    addEntries(from.dir, '', out, copied, links, 0);
  } else {
    add(from, from.name.toString('latin1'), out, copied, links, 0);
  }
  out.write(TAR_END);
  return copied;
}

function addEntries(
  directory: number,
  path: string,
  out: TarOut,
  copied: Copied,
  links: Map<string, string>,
  depth: number,
): void {
  for (const name of readdirSync(`/proc/self/fd/${directory}`, { encoding: 'buffer' }).sort(Buffer.compare)) {
    const below = path === '' ? '' : `${path}/`;
    add({ dir: directory, name }, `${below}${name.toString('latin1')}`, out, copied, links, depth);
  }
}

/** @param links the first name of each file that has several, by its device and inode */
function add(spot: Spot, path: string, out: TarOut, copied: Copied, links: Map<string, string>, depth: number): void {
  if (depth > DEPTH) {
    throw new TsboxError('TSB3001', `directories are more than ${DEPTH} levels deep`);
  }
  const stat = lstatSync(at(spot), { bigint: true });
  if (stat.isDirectory()) {
    const fd = openSync(at(spot), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    try {
      out.write(tarHeader(entryOf(`${path}/`, 'dir', fstatSync(fd, { bigint: true }), out.rules)));
      addEntries(fd, path, out, copied, links, depth + 1);
    } finally {
      closeSync(fd);
    }
    return;
  }
  const key = `${stat.dev}:${stat.ino}`;
  const first = stat.nlink > 1n ? links.get(key) : undefined;
  if (stat.isSymbolicLink()) {
    const link = readlinkSync(at(spot), { encoding: 'buffer' }).toString('latin1');
    out.write(tarHeader({ ...entryOf(path, 'symlink', stat, out.rules), link }));
  } else if (first !== undefined) {
    out.write(tarHeader({ ...entryOf(path, 'link', stat, out.rules), link: first }));
  } else if (stat.isFile()) {
    addFile(spot, path, out, copied);
    links.set(key, path);
  } else {
    copied.skipped.push(`${spot.name.toString()}: neither a file, a directory nor a link`);
    return;
  }
  copied.files++;
}

function entryOf(path: string, type: OutEntry['type'], stat: LstatBig, rules: CopyRules): OutEntry {
  const sec = stat.mtimeNs / 1_000_000_000n - (stat.mtimeNs < 0n && stat.mtimeNs % 1_000_000_000n !== 0n ? 1n : 0n);
  return {
    path,
    type,
    mode: Number(stat.mode) & 0o7777,
    ...rules.owner(Number(stat.uid), Number(stat.gid)),
    time: { sec: Number(sec), nsec: Number(stat.mtimeNs - sec * 1_000_000_000n) },
    size: Number(stat.size),
    link: '',
  };
}

function addFile(spot: Spot, path: string, out: TarOut, copied: Copied): void {
  // Not blocking: what was a file a moment ago may be a pipe by now.
  const fd = openSync(at(spot), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const stat = fstatSync(fd, { bigint: true });
    if (!stat.isFile()) {
      throw new TsboxError('TSB3001', `${spot.name.toString()} was changed while it was copied`);
    }
    const size = Number(stat.size);
    const sparse = stat.blocks * 512n < stat.size;
    const found = sparse ? out.pieces(fd, size, NUMBERS) : [0, size];
    const whole = size === 0 || (found[0] === 0 && found[1] === size);
    // A hole at the end is told by an empty piece, as GNU tar has it.
    const pieces = whole
      ? [0, size]
      : [...found, ...((found.at(-2) ?? 0) + (found.at(-1) ?? 0) < size ? [size, 0] : [])];
    out.write(tarHeader({ ...entryOf(path, 'file', stat, out.rules), pieces: whole ? undefined : pieces }));
    let total = 0;
    let short = false;
    for (let i = 0; i < pieces.length; i += 2) {
      const [offset = 0, length = 0] = [pieces[i], pieces[i + 1]];
      short = !writeBytes(fd, offset, length, out.write) || short;
      total += length;
    }
    out.write(padding(total));
    if (short) {
      copied.skipped.push(`${spot.name.toString()}: it became shorter meanwhile; what is missing is zeros`);
    }
  } finally {
    closeSync(fd);
  }
}

/** As many bytes as were promised; false when zeros had to stand in for some. */
function writeBytes(fd: number, offset: number, length: number, write: (bytes: Buffer) => void): boolean {
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK, length));
  let short = false;
  for (let done = 0; done < length;) {
    const want = Math.min(buffer.length, length - done);
    const n = short ? 0 : readSync(fd, buffer, 0, want, offset + done);
    if (n === 0) {
      short = true;
      buffer.fill(0, 0, want);
    }
    write(buffer.subarray(0, n === 0 ? want : n));
    done += n === 0 ? want : n;
  }
  return !short;
}
