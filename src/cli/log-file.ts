/** Reading a container's log: the current file and those that rotation has given a number. */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { LogParser, type LogEntry } from './log-line.ts';

/** Rotated files that may exist beside the current one. */
const MAX_ROTATED = 100;

/** Reads what there is, then what is added; rotation and truncation lose nothing that is still in a file. */
export class LogReader {
  readonly #path: string;
  readonly #parser = new LogParser();
  /** Bytes of a line that has not ended. */
  #rest: Buffer = Buffer.alloc(0);
  /** The file that was read last, and how far. */
  #inode = 0;
  #offset = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Entries that came since the last time; at first all there are, rotated files before the current one. */
  read(): LogEntry[] {
    const entries: LogEntry[] = [];
    for (const path of this.#unread()) {
      const bytes = this.#added(path);
      const lines = Buffer.concat([this.#rest, bytes]);
      const end = lines.lastIndexOf('\n') + 1;
      this.#rest = lines.subarray(end);
      for (const line of lines.subarray(0, end).toString('utf8').split('\n').slice(0, -1)) {
        const entry = this.#parser.take(line);
        if (entry !== undefined) {
          entries.push(entry);
        }
      }
    }
    return entries;
  }

  /** Files with something to read, oldest first: the one read last, wherever it is by now, and those after it. */
  #unread(): string[] {
    const files = [this.#path];
    if (inodeOf(this.#path) !== this.#inode) {
      for (let n = 1; n <= MAX_ROTATED; n++) {
        const inode = inodeOf(`${this.#path}.${n}`);
        if (inode === 0) {
          break;
        }
        files.unshift(`${this.#path}.${n}`);
        if (inode === this.#inode) {
          break;
        }
      }
    }
    return files;
  }

  #added(path: string): Buffer {
    let fd: number;
    try {
      fd = openSync(path, 'r');
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') {
        return Buffer.alloc(0);
      }
      throw error;
    }
    try {
      const { ino, size } = fstatSync(fd);
      if (ino !== this.#inode || size < this.#offset) {
        this.#offset = 0;
      }
      this.#inode = ino;
      const buffer = Buffer.alloc(size - this.#offset);
      const length = readSync(fd, buffer, 0, buffer.length, this.#offset);
      this.#offset += length;
      return buffer.subarray(0, length);
    } finally {
      closeSync(fd);
    }
  }
}

function inodeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.ino ?? 0;
}
