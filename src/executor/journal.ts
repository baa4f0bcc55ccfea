/** The step journal of this boot: one line before and after each change. It informs; it never decides. */
import { stackRunDir, type ExecutionContext } from './context.ts';
import type { AppendFile } from '../kernel/kernel.ts';

export interface JournalEntry {
  readonly event: 'apply' | 'begin' | 'end' | 'failed' | 'abandoned' | 'done';
  readonly address?: string;
  readonly action?: string;
  /** begin: the numbers of its first and its last step in the plan. */
  readonly steps?: readonly [number, number];
  /** failed, abandoned: the number of the step it was at. */
  readonly step?: number;
  readonly error?: string;
}

export class Journal {
  private readonly file: AppendFile;
  private readonly id: string;
  private broken = false;

  constructor(context: ExecutionContext) {
    this.file = context.kernel.appendTo(`${stackRunDir(context)}/journal.jsonl`);
    this.id = `${process.pid}-${Date.now().toString(36)}`;
  }

  /** Appends a line. A journal that cannot be written does not stop an apply: it is noted once and given up. */
  write(entry: JournalEntry): void {
    if (this.broken) {
      return;
    }
    try {
      this.file.write(`${JSON.stringify({ time: new Date().toISOString(), id: this.id, ...entry })}\n`);
    } catch {
      this.broken = true;
    }
  }

  close(): void {
    this.file.close();
  }
}
