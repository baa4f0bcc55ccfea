/**
 * What is sent to people of something that comes and goes: each kind of event of one subject once in five minutes. What
 * comes again meanwhile is held back. The last of it is sent when the time is over, unless something new was sent since;
 * either says how many there were. So the last message always tells how it stands.
 */
import type { Happening } from './happenings.ts';

const WINDOW = 5 * 60_000;
/** Subjects remembered at once; beyond that everything is sent. */
const MOST = 10_000;

interface Open {
  readonly sent: Set<string>;
  held: { readonly line: string; readonly event: string } | undefined;
  repeated: number;
  timer: NodeJS.Timeout;
}

export class Repeats {
  readonly #open = new Map<string, Open>();
  readonly #send: (line: string) => void;
  readonly #window: number;

  constructor(send: (line: string) => void, windowMs = WINDOW) {
    this.#send = send;
    this.#window = windowMs;
  }

  /** @param line the event as a line of JSON */
  take(line: string, happening: Happening): void {
    const key = subjectOf(happening);
    const open = this.#open.get(key);
    if (open === undefined) {
      if (this.#open.size < MOST) {
        this.#begin(key, happening.event);
      }
      this.#send(line);
    } else if (!open.sent.has(happening.event)) {
      open.sent.add(happening.event);
      open.held = undefined;
      this.#send(withRepeated(line, open.repeated));
      open.repeated = 0;
    } else {
      open.held = { line, event: happening.event };
      open.repeated++;
    }
  }

  /** Sends at once what is held back. */
  close(): void {
    for (const open of this.#open.values()) {
      clearTimeout(open.timer);
      this.#release(open);
    }
    this.#open.clear();
  }

  #begin(key: string, event: string): void {
    const timer = setTimeout(() => this.#over(key), this.#window);
    // A message that is held back keeps nobody alive: close() sends it.
    timer.unref();
    this.#open.set(key, { sent: new Set([event]), held: undefined, repeated: 0, timer });
  }

  #over(key: string): void {
    const open = this.#open.get(key);
    this.#open.delete(key);
    if (open?.held !== undefined) {
      this.#begin(key, open.held.event);
      this.#release(open);
    }
  }

  #release({ held, repeated }: Open): void {
    if (held !== undefined) {
      this.#send(withRepeated(held.line, repeated));
    }
  }
}

/** @param repeated how many events of the subject were held back until this one, it included where it was */
function withRepeated(line: string, repeated: number): string {
  return repeated === 0 ? line : JSON.stringify({ ...(JSON.parse(line) as object), repeated });
}

/** An item of drift, or without one the kind of event, for a stack, a source, a revision. */
function subjectOf({ event, stack, id, commit, message }: Happening): string {
  const what = typeof id === 'string' ? id : `${event}\0${typeof commit === 'string' ? commit : ''}\0${message}`;
  return `${stack ?? ''}\0${what}`;
}
