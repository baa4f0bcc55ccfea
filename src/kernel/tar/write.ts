/** Headers of a tar archive: ustar, and a pax header before it for what ustar has no room for (POSIX.1-2017, pax). */
import { BLOCK } from './header.ts';
import type { EntryType, TarEntry } from './parser.ts';

/** An entry to be written; `pieces` are offsets and lengths in turn of what a sparse file has beside holes. */
export type OutEntry = Pick<TarEntry, 'path' | 'type' | 'mode' | 'uid' | 'gid' | 'time' | 'size' | 'link'> & {
  readonly pieces?: readonly number[] | undefined;
};

const FLAGS: Readonly<Partial<Record<EntryType, string>>> = { file: '0', link: '1', symlink: '2', dir: '5' };

/** Largest numbers of the octal fields. */
const ID_MOST = 0o7777777;
const SIZE_MOST = 0o77777777777;
const NAME_MOST = 100;

/** All blocks before the bytes of an entry. Text is bytes, one a character. */
export function tarHeader(entry: OutEntry): Buffer {
  const { path, type, link, uid, gid, time } = entry;
  const map = entry.pieces === undefined ? Buffer.alloc(0) : sparseMap(entry.pieces);
  const size = type !== 'file' ? 0 : entry.pieces === undefined ? entry.size : map.length + sum(entry.pieces);
  const whole = time.nsec === 0 && time.sec >= 0 && time.sec <= SIZE_MOST;
  const pax: ReadonlyArray<readonly [key: string, value: string, needed: boolean]> = [
    // GNU's sparse format 1.0: the map stands before the data.
    ['GNU.sparse.major', '1', entry.pieces !== undefined],
    ['GNU.sparse.minor', '0', entry.pieces !== undefined],
    ['GNU.sparse.name', path, entry.pieces !== undefined],
    ['GNU.sparse.realsize', String(entry.size), entry.pieces !== undefined],
    ['path', path, entry.pieces === undefined && path.length > NAME_MOST],
    ['linkpath', link, link.length > NAME_MOST],
    ['uid', String(uid), uid > ID_MOST],
    ['gid', String(gid), gid > ID_MOST],
    ['size', String(size), size > SIZE_MOST],
    ['mtime', paxTimeText(time), !whole],
  ];
  const records = Buffer.concat(pax.filter(([, , needed]) => needed).map(([key, value]) => paxRecord(key, value)));
  const short = path.length > NAME_MOST ? path.slice(0, NAME_MOST) : path;
  const own = block({
    name: short,
    mode: entry.mode,
    uid: uid > ID_MOST ? 0 : uid,
    gid: gid > ID_MOST ? 0 : gid,
    size: size > SIZE_MOST ? 0 : size,
    mtime: Math.min(Math.max(time.sec, 0), SIZE_MOST),
    flag: FLAGS[type] ?? '0',
    link: link.slice(0, NAME_MOST),
  });
  if (records.length === 0) {
    return Buffer.concat([own, map]);
  }
  const name = `PaxHeaders/${short.slice(0, 80)}`;
  const before = block({ name, mode: 0o644, uid: 0, gid: 0, size: records.length, mtime: 0, flag: 'x', link: '' });
  return Buffer.concat([before, records, padding(records.length), own, map]);
}

/** What follows so many bytes, up to the next block. */
export function padding(length: number): Buffer {
  return Buffer.alloc(-length & (BLOCK - 1));
}

/** What ends an archive. */
export const TAR_END = Buffer.alloc(2 * BLOCK);

function sum(pieces: readonly number[]): number {
  return pieces.reduce((total, n, i) => (i % 2 === 1 ? total + n : total), 0);
}

function sparseMap(pieces: readonly number[]): Buffer {
  const text = Buffer.from([pieces.length / 2, ...pieces].map((n) => `${n}\n`).join(''));
  return Buffer.concat([text, padding(text.length)]);
}

function paxTimeText({ sec, nsec }: OutEntry['time']): string {
  // The fraction counts from the second towards the future; the text of a negative time does not.
  const [whole, rest] = sec < 0 && nsec > 0 ? [sec + 1, 1e9 - nsec] : [sec, nsec];
  const sign = sec < 0 && whole === 0 ? '-' : '';
  return `${sign}${whole}${rest === 0 ? '' : `.${String(rest).padStart(9, '0')}`}`;
}

/** 'LENGTH KEY=VALUE\n', in which the length counts itself. */
function paxRecord(key: string, value: string): Buffer {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length;
  while (String(length).length + rest.length !== length) {
    length = String(length).length + rest.length;
  }
  return Buffer.from(`${length}${rest}`, 'latin1');
}

function block(h: {
  readonly name: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly flag: string;
  readonly link: string;
}): Buffer {
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, digits: number): void => {
    header.write(value.toString(8).padStart(digits, '0'), at, 'latin1');
  };
  header.write(h.name, 0, 'latin1');
  octal(h.mode, 100, 7);
  octal(h.uid, 108, 7);
  octal(h.gid, 116, 7);
  octal(h.size, 124, 11);
  octal(h.mtime, 136, 11);
  header.write(h.flag, 156, 'latin1');
  header.write(h.link, 157, 'latin1');
  header.write('ustar\x0000', 257, 'latin1');
  header.fill(' ', 148, 156);
  octal(
    header.reduce((a, b) => a + b, 0),
    148,
    6,
  );
  header[154] = 0;
  return header;
}
