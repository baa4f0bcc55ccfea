/** The last writers of cgroup files, kept for drift reports in a small file below the run directory. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { FileEvent, Writer } from '../../kernel/monitor.ts';
import type { openKernel } from '../../kernel/kernel.ts';
import type { AppendFile } from '../../kernel/kernel.ts';
import { replaceFile } from '../../kernel/replace-file.ts';
import { WRITERS_FILE, writerLine, type WriterRecord } from '../../report/drift/writers.ts';

/** Lines before the file is cut down to the last few of each path. */
const MOST = 2000;
const PER_PATH = 3;
const KEPT = 1000;
/** A shell opens with O_TRUNC and then writes: the kernel tells both. */
const SAME = 50;

export class WriterLog {
  readonly #path: string;
  readonly #open: () => AppendFile;
  #file: AppendFile;
  #lines: number;
  readonly #last = new Map<string, { readonly pid: number; readonly at: number }>();

  constructor(kernel: ReturnType<typeof openKernel>) {
    this.#path = join(kernel.settings.runDir, WRITERS_FILE);
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o755 });
    this.#lines = existsSync(this.#path) ? readFileSync(this.#path, 'utf8').split('\n').length - 1 : 0;
    this.#open = () => kernel.appendTo(this.#path);
    this.#file = this.#open();
  }

  /** Keeps who wrote; nothing for what nobody did. */
  note(event: FileEvent, now = Date.now()): void {
    const { writer, path } = event;
    const last = this.#last.get(path);
    if (writer === undefined || event.what !== 'write' || isRead(path)) {
      return;
    }
    if (last?.pid === writer.pid && now - last.at < SAME) {
      return;
    }
    this.#last.set(path, { pid: writer.pid, at: now });
    this.#file.write(writerLine(recordOf(path, writer, now)));
    if (++this.#lines > MOST) {
      this.#compact();
    }
  }

  close(): void {
    this.#file.close();
  }

  #compact(): void {
    const kept = lastOfEach(readFileSync(this.#path, 'utf8').split('\n'));
    replaceFile(this.#path, kept.map((l) => `${l}\n`).join(''), { mode: 0o640 });
    this.#file.close();
    this.#file = this.#open();
    this.#lines = kept.length;
    this.#last.clear();
  }
}

/** The last lines of each path, in their order. */
export function lastOfEach(lines: readonly string[]): string[] {
  const count = new Map<string, number>();
  const kept = lines.toReversed().filter((line) => {
    const path = /"path":"((?:[^"\\]|\\.)*)"/.exec(line)?.[1];
    if (path === undefined) {
      return false;
    }
    const seen = (count.get(path) ?? 0) + 1;
    count.set(path, seen);
    return seen <= PER_PATH;
  });
  return kept.slice(0, KEPT).reverse();
}

/** Files that tell and hold no setting. */
function isRead(path: string): boolean {
  return path.endsWith('.events') || path.endsWith('.local');
}

function recordOf(path: string, writer: Writer, now: number): WriterRecord {
  const { pid, comm, exe, cgroup, gone } = writer;
  return {
    time: new Date(now).toISOString(),
    path,
    pid,
    comm: isOurs(writer) ? `tsbox (${comm ?? ''})` : comm,
    exe,
    cgroup,
    gone,
  };
}

/** Another tsbox: node with our own script, or the supervisor. */
function isOurs({ comm, exe, argv }: Writer): boolean {
  const script = process.argv[1];
  return comm === 'tsbox-init' || (exe === process.execPath && script !== undefined && argv.includes(script));
}
