/** Reading CRI log files: 'TIME stdout|stderr F|P TEXT' a line, rotated by number. */
import { closeSync, existsSync, fstatSync, openSync, readSync, readFileSync, statSync } from 'node:fs';

/** Rotated files that may exist beside the current one. */
const MAX_ROTATED = 100;

export interface LogText {
  readonly lines: readonly string[];
  /** Where to go on reading the current file. */
  readonly position: { readonly inode: number; readonly offset: number };
}

/** All lines, oldest first; a container that never wrote has none. */
export function readLog(path: string): LogText {
  const rotated: string[] = [];
  for (let i = 1; i <= MAX_ROTATED && existsSync(`${path}.${i}`); i++) {
    rotated.unshift(readFileSync(`${path}.${i}`, 'utf8'));
  }
  let current = '';
  let position = { inode: 0, offset: 0 };
  if (existsSync(path)) {
    const buffer = readFileSync(path);
    current = buffer.toString('utf8');
    position = { inode: statSync(path).ino, offset: buffer.length };
  }
  const lines = [...rotated, current].join('').split('\n');
  if (lines.at(-1) === '') {
    lines.pop();
  }
  return { lines, position };
}

const POLL = 200;

/** Prints further lines until `running` says no more; a rotation is followed into the new file. */
export async function followLog(
  path: string,
  from: LogText['position'],
  print: (line: string) => void,
  running: () => boolean,
): Promise<void> {
  let { inode, offset } = from;
  let rest = '';
  for (;;) {
    const goesOn = running();
    if (existsSync(path)) {
      const fd = openSync(path, 'r');
      try {
        const stat = fstatSync(fd);
        if (stat.ino !== inode) {
          inode = stat.ino;
          offset = 0;
        }
        const buffer = Buffer.alloc(Math.max(0, stat.size - offset));
        offset += readSync(fd, buffer, 0, buffer.length, offset);
        const parts = (rest + buffer.toString('utf8')).split('\n');
        rest = parts.pop() ?? '';
        parts.forEach(print);
      } finally {
        closeSync(fd);
      }
    }
    if (!goesOn) {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
}
