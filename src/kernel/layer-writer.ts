/**
 * The entries of a layer as files beneath a directory: OCI whiteouts become overlayfs's, and what could reach out of the
 * tree, or overwhelm the machine, is refused by name (image-spec layer.md; overlayfs.rst).
 */
import { TsboxError } from '../errors.ts';
import type { Native } from '../../native/index.d.ts';
import { BeneathBatch, S_IFCHR, S_IFIFO, type BeneathOp } from './beneath.ts';
import { errnoName } from './native.ts';
import type { TarEntry, TarSink } from './tar/parser.ts';

export interface LayerLimits {
  readonly entries: number;
  /** Bytes of all files, holes included. */
  readonly bytes: number;
}

export const LAYER_LIMITS: LayerLimits = { entries: 1_000_000, bytes: 64 * 2 ** 30 };

const PATH_MAX = 4095;
const NAME_MAX = 255;
/** A batch is handed over when it is this long. */
const BATCH = 2 * 2 ** 20;

type Made = 'dir' | 'implied' | 'file' | 'link' | 'other' | 'whiteout';

/** Nodes that archives of whole systems bring along: a container gets its own /dev, so they are left out. */
const USUAL_NODES = new Set(['c 1:3', 'c 1:5', 'c 1:7', 'c 1:8', 'c 1:9', 'c 5:0', 'c 5:1', 'c 5:2']);

export class LayerWriter implements TarSink {
  readonly #native: Native;
  readonly #root: string;
  readonly #what: string;
  readonly #limits: LayerLimits;
  readonly #made = new Map<string, Made>([['', 'implied']]);
  /** What directories get when everything in them is there. */
  readonly #directories = new Map<string, BeneathOp>();
  #batch = new BeneathBatch(BATCH + 2 ** 16);
  #flying: Promise<void> = Promise.resolve();
  #current: TarEntry | undefined;
  #currentPath = '';
  #skipping = false;
  /** Bytes of the current file, kept while they fit one operation. */
  #pieces: Buffer[] = [];
  #held = 0;
  #streaming = false;
  entries = 0;
  bytes = 0;

  /** @param what the layer, for messages */
  constructor(native: Native, root: string, what: string, limits: LayerLimits = LAYER_LIMITS) {
    this.#native = native;
    this.#root = root;
    this.#what = what;
    this.#limits = limits;
  }

  entry(entry: TarEntry): void {
    this.entries++;
    this.#current = entry;
    this.#skipping = false;
    if (this.entries > this.#limits.entries) {
      throw this.#refused(entry.path, `it is one of more than ${this.#limits.entries} entries`);
    }
    const path = this.#clean(entry.path, entry.path, 'its name');
    this.#currentPath = path;
    if (entry.type === 'file') {
      this.bytes += entry.size;
      if (this.bytes > this.#limits.bytes) {
        throw this.#refused(entry.path, `with it the layer has more than ${this.#limits.bytes} bytes`);
      }
    }
    for (const name of entry.xattrs.keys()) {
      if (name.startsWith('trusted.') || name.startsWith('user.overlay.')) {
        throw this.#refused(entry.path, `its attribute ${printable(name)} steers overlayfs`);
      }
    }
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    if (name.startsWith('.wh.')) {
      this.#skipping = true;
      this.#whiteout(entry, path.slice(0, Math.max(0, slash)), name.slice(4));
      return;
    }
    this.#make(entry, path);
  }

  data(bytes: Buffer, offset: number): void {
    if (this.#skipping) {
      return;
    }
    const entry = this.#current as TarEntry;
    if (!this.#streaming && offset === this.#held && this.#held + bytes.length <= BATCH / 2) {
      this.#pieces.push(Buffer.from(bytes));
      this.#held += bytes.length;
      return;
    }
    this.#startStreaming(entry);
    this.#batch.add({ kind: 'data', path: this.#currentPath, offset, data: bytes });
  }

  end(): void {
    const entry = this.#current as TarEntry;
    this.#current = undefined;
    if (this.#skipping || entry.type !== 'file') {
      return;
    }
    if (this.#streaming) {
      this.#batch.add({ kind: 'attributes', path: this.#currentPath, ...attributesOf(entry) });
    } else {
      this.#batch.add({
        kind: 'file',
        path: this.#currentPath,
        offset: entry.size,
        data: this.#pieces.length === 1 ? (this.#pieces[0] as Buffer) : Buffer.concat(this.#pieces),
        ...attributesOf(entry),
      });
    }
    this.#pieces = [];
    this.#held = 0;
    this.#streaming = false;
  }

  /** Hands over a full batch while the next one fills. */
  async flush(force = false): Promise<void> {
    if (this.#batch.length === 0 || (!force && this.#batch.length < BATCH)) {
      return;
    }
    await this.#flying;
    const batch = this.#batch;
    this.#batch = new BeneathBatch(BATCH + 2 ** 16);
    this.#flying = this.#native.makeBeneath(this.#root, batch.bytes).then(({ failed, errno, syscall }) => {
      if (failed >= 0) {
        const name = errnoName(errno);
        throw this.#refused(batch.paths[failed] ?? '', `${syscall}: ${name}${explained(syscall, name)}`);
      }
    });
    // A failure is told where the promise is next waited for.
    this.#flying.catch(() => undefined);
  }

  /**
   * Sets what directories could only get at the end. Those that the layer only implies look like the ones below.
   * @param lowers directories of the layers below, the topmost first
   */
  async finish(lowers: readonly string[]): Promise<void> {
    for (const [path, made] of this.#made) {
      if (made === 'implied') {
        this.#directories.set(path, this.#likeBelow(path, lowers));
      }
    }
    for (const op of this.#directories.values()) {
      this.#batch.add(op);
      await this.flush();
    }
    await this.flush(true);
    await this.#flying;
  }

  /** Waits until nothing is being written, whatever came of it. */
  async settle(): Promise<void> {
    await this.#flying.catch(() => undefined);
  }

  #likeBelow(path: string, lowers: readonly string[]): BeneathOp {
    for (const lower of lowers) {
      const stat = this.#native.statBeneath(lower, path === '' ? '.' : Buffer.from(path, 'latin1').toString());
      if (typeof stat === 'object') {
        const directory = (stat.mode & 0o170000) === 0o040000;
        return directory
          ? { kind: 'attributes', path, mode: stat.mode & 0o7777, owner: { uid: stat.uid, gid: stat.gid } }
          : { kind: 'attributes', path, mode: 0o755 };
      }
    }
    return { kind: 'attributes', path, mode: 0o755 };
  }

  #startStreaming(entry: TarEntry): void {
    if (!this.#streaming) {
      this.#streaming = true;
      const data = Buffer.concat(this.#pieces);
      this.#batch.add({ kind: 'file', path: this.#currentPath, offset: entry.size, data });
      this.#pieces = [];
    }
  }

  #make(entry: TarEntry, path: string): void {
    const before = this.#made.get(path);
    if (entry.type === 'dir') {
      this.#directory(path, before, { kind: 'attributes', path, ...attributesOf(entry) });
      return;
    }
    const device = entry.type === 'char' || entry.type === 'block';
    if (device) {
      const node = `${entry.type === 'char' ? 'c' : 'b'} ${entry.major}:${entry.minor}`;
      if (!USUAL_NODES.has(node)) {
        throw this.#refused(entry.path, `it is the device ${node}`);
      }
      return;
    }
    if (before !== undefined && before !== 'whiteout') {
      throw this.#refused(entry.path, 'it is there twice');
    }
    this.#parents(entry, path);
    if (before === 'whiteout') {
      this.#batch.add({ kind: 'unlink', path });
    }
    const { owner, time, mode } = attributesOf(entry);
    switch (entry.type) {
      case 'file':
        this.#made.set(path, 'file');
        return;
      case 'symlink':
        this.#checkLinkText(entry, path);
        this.#batch.add({ kind: 'symlink', path, link: entry.link, owner, time });
        this.#made.set(path, 'link');
        return;
      case 'link': {
        const target = this.#clean(entry.link, entry.path, 'what it links to');
        const made = this.#made.get(target);
        if (made !== 'file' && made !== 'link' && made !== 'other') {
          throw this.#refused(entry.path, `it links to ${printable(target)}, which is no file before it in the layer`);
        }
        this.#batch.add({ kind: 'link', path, link: target });
        this.#made.set(path, made);
        return;
      }
      case 'fifo':
        this.#batch.add({ kind: 'node', path, owner, time, mode: S_IFIFO | mode });
        this.#made.set(path, 'other');
    }
  }

  #directory(path: string, before: Made | undefined, attributes: BeneathOp): void {
    if (before !== undefined && before !== 'dir' && before !== 'implied' && before !== 'whiteout') {
      throw this.#refused(this.#current?.path ?? path, 'it is there twice');
    }
    this.#parents(this.#current as TarEntry, path);
    const opaque = before === 'whiteout';
    if (opaque) {
      this.#batch.add({ kind: 'unlink', path });
    }
    if (before === undefined || opaque) {
      this.#batch.add({ kind: 'dir', path, mode: 0o700 });
    }
    if (opaque) {
      this.#opaque(path);
    }
    this.#made.set(path, 'dir');
    this.#directories.set(path, attributes);
  }

  /** Directories on the way, as far as the layer did not bring them itself. */
  #parents(entry: TarEntry, path: string): void {
    for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
      const parent = path.slice(0, slash);
      const made = this.#made.get(parent);
      if (made === 'dir' || made === 'implied') {
        continue;
      }
      if (made === 'whiteout') {
        this.#batch.add({ kind: 'unlink', path: parent });
      } else if (made !== undefined) {
        const what = made === 'link' ? 'a link' : 'no directory';
        throw this.#refused(entry.path, `${printable(parent)} on its way is ${what}`);
      }
      this.#batch.add({ kind: 'dir', path: parent, mode: 0o755 });
      if (made === 'whiteout') {
        this.#opaque(parent);
      }
      this.#made.set(parent, 'implied');
    }
  }

  /** `.wh.NAME` hides NAME of the layers below; `.wh..wh..opq` hides everything below the directory. */
  #whiteout(entry: TarEntry, directory: string, name: string): void {
    if (entry.type !== 'file' && entry.type !== 'link') {
      throw this.#refused(entry.path, 'a whiteout is an empty file');
    }
    if (name === '.wh..opq') {
      this.#parents(entry, `${directory === '' ? '' : `${directory}/`}x`);
      this.#opaque(directory);
      return;
    }
    if (name.startsWith('.wh.')) {
      // What AUFS kept for itself.
      return;
    }
    if (name === '' || name === '.' || name === '..') {
      throw this.#refused(entry.path, `it hides ${printable(name)}`);
    }
    const path = directory === '' ? name : `${directory}/${name}`;
    this.#parents(entry, path);
    const made = this.#made.get(path);
    if (made === 'dir' || made === 'implied') {
      this.#opaque(path);
    } else if (made === undefined) {
      this.#batch.add({ kind: 'node', path, mode: S_IFCHR });
      this.#made.set(path, 'whiteout');
    }
  }

  #opaque(path: string): void {
    const xattrs = new Map([['trusted.overlay.opaque', Buffer.from('y')]]);
    this.#batch.add({ kind: 'attributes', path, xattrs });
  }

  /** A link may lead anywhere inside; one that climbs above the root is nobody's honest mistake. */
  #checkLinkText(entry: TarEntry, path: string): void {
    if (entry.link === '' || entry.link.length > PATH_MAX || entry.link.includes('\0')) {
      throw this.#refused(entry.path, 'its link text is not one');
    }
    let depth = entry.link.startsWith('/') ? 0 : path.split('/').length - 1;
    for (const part of entry.link.split('/')) {
      depth += part === '..' ? -1 : part === '' || part === '.' ? 0 : 1;
      if (depth < 0) {
        throw this.#refused(entry.path, `it links to ${printable(entry.link)}, which is out of the tree`);
      }
    }
  }

  /** A path without '.', empty parts and slashes at its ends; '' is the root. */
  #clean(path: string, entry: string, what: string): string {
    if (path.includes('\0')) {
      throw this.#refused(entry, `${what} has a NUL byte`);
    }
    if (path.startsWith('/')) {
      throw this.#refused(entry, `${what} is absolute`);
    }
    const parts = path.split('/').filter((p) => p !== '' && p !== '.');
    if (parts.includes('..')) {
      throw this.#refused(entry, `${what} goes up by '..'`);
    }
    const clean = parts.join('/');
    if (clean.length > PATH_MAX || parts.some((p) => p.length > NAME_MAX)) {
      throw this.#refused(entry, `${what} is too long`);
    }
    return clean;
  }

  #refused(entry: string, why: string): TsboxError {
    return refusedEntry(this.#what, entry, why);
  }
}

function explained(syscall: string, errno: string): string {
  if (errno === 'ENOSPC' || errno === 'EDQUOT') {
    return ' (the disk is full)';
  }
  return errno === 'EEXIST' && syscall !== 'decode' ? ' (another entry has this name for the file system)' : '';
}

/** The error for one entry of a layer. */
export function refusedEntry(layer: string, entry: string, why: string): TsboxError {
  return new TsboxError('TSB3010', `${layer}: entry ${printable(entry)} is refused: ${why}`, { subject: entry });
}

/** A name of bytes as people may safely read it. */
export function printable(bytes: string): string {
  const text = Buffer.from(bytes, 'latin1').toString();
  const short = text.length > 200 ? `${text.slice(0, 199)}…` : text;
  return `'${short.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\uFFFD'\\]/gu, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`)}'`;
}

/** Attributes worth keeping: capabilities, ACLs and what users set. Labels of another machine's policy are not. */
const KEPT = /^(user\..+|security\.capability|system\.posix_acl_(access|default))$/;
/** Ids of 2^32 - 1 mean "unchanged" to chown(2). */
const ID_MAX = 0xfffffffe;

function attributesOf(
  entry: TarEntry,
): Required<Pick<BeneathOp, 'mode' | 'owner' | 'time'>> & Pick<BeneathOp, 'xattrs'> {
  if (entry.uid < 0 || entry.gid < 0 || entry.uid > ID_MAX || entry.gid > ID_MAX) {
    throw refusedEntry('layer', entry.path, 'its owner is not an id');
  }
  const xattrs = new Map([...entry.xattrs].filter(([name]) => KEPT.test(name)));
  return {
    mode: entry.mode,
    owner: { uid: entry.uid, gid: entry.gid },
    time: entry.time,
    ...(xattrs.size === 0 ? {} : { xattrs }),
  };
}
