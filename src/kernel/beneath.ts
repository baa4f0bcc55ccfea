/** Operations for native/beneath.cc: files made beneath a directory, batch by batch. */

export const KIND = { dir: 1, file: 2, data: 3, attributes: 4, symlink: 5, link: 6, node: 7, unlink: 8 } as const;
const FLAG = { owner: 1, mode: 2, time: 4 } as const;

/** st_mode types for KIND.node. */
export const S_IFIFO = 0o010000;
export const S_IFCHR = 0o020000;

/** Names and link texts are bytes, one a character (latin1): what is in an archive need not be UTF-8. */
export interface BeneathOp {
  readonly kind: keyof typeof KIND;
  readonly path: string;
  readonly link?: string;
  /** dir: permissions to make it with. node: type and permissions. Otherwise: permissions to set. */
  readonly mode?: number;
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** Seconds since the epoch, and nanoseconds. */
  readonly time?: { readonly sec: number; readonly nsec: number };
  /** file: its length. data: where to write. */
  readonly offset?: number;
  readonly xattrs?: ReadonlyMap<string, Uint8Array>;
  readonly data?: Uint8Array;
}

const HEADER = 56;

/** A growing buffer of encoded operations. */
export class BeneathBatch {
  #bytes: Buffer;
  length = 0;
  /** Path of each operation, for messages. */
  readonly paths: string[] = [];

  constructor(size: number) {
    this.#bytes = Buffer.allocUnsafe(size);
  }

  add(op: BeneathOp): void {
    const { path, link = '', xattrs, data } = op;
    let size = HEADER + path.length + link.length + (data?.length ?? 0);
    for (const [name, value] of xattrs ?? []) {
      size += 8 + name.length + value.length;
    }
    this.#reserve(size);
    const b = this.#bytes;
    let at = this.length;
    const u32 = (value: number): void => {
      at = b.writeUInt32LE(value >>> 0, at);
    };
    u32(KIND[op.kind]);
    u32(op.mode ?? 0);
    u32(op.owner?.uid ?? 0);
    u32(op.owner?.gid ?? 0);
    u32(op.time?.nsec ?? 0);
    u32(
      (op.owner === undefined ? 0 : FLAG.owner) |
        (op.mode === undefined ? 0 : FLAG.mode) |
        (op.time === undefined ? 0 : FLAG.time),
    );
    at = b.writeBigInt64LE(BigInt(op.time?.sec ?? 0), at);
    at = b.writeBigUInt64LE(BigInt(op.offset ?? 0), at);
    u32(path.length);
    u32(link.length);
    u32(xattrs?.size ?? 0);
    u32(data?.length ?? 0);
    at += b.write(path, at, 'latin1');
    at += b.write(link, at, 'latin1');
    for (const [name, value] of xattrs ?? []) {
      u32(name.length);
      u32(value.length);
      at += b.write(name, at, 'latin1');
      b.set(value, at);
      at += value.length;
    }
    if (data !== undefined) {
      b.set(data, at);
    }
    this.length += size;
    this.paths.push(path);
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  #reserve(size: number): void {
    if (this.length + size > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.length + size));
      this.#bytes.copy(grown, 0, 0, this.length);
      this.#bytes = grown;
    }
  }
}
