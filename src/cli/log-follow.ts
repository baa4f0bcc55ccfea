/** The logs of several containers as one: what there is, and what comes while any of them runs. */
import type { KernelReader } from '../kernel/reader.ts';
import { FileWatch } from '../kernel/watch.ts';
import { leafName } from '../resources/container/replica-names.ts';
import { findContainers, type FoundContainer } from './containers.ts';
import { LogReader } from './log-file.ts';
import { byTime, lastOf, passes, type LogEntry, type LogFilter } from './log-line.ts';
import { fullAddress } from './target.ts';

export interface Logged {
  readonly stack: string;
  readonly name: string;
  readonly entry: LogEntry;
}

export interface LogOptions extends LogFilter {
  /** Lines of each container at first; negative for all. */
  readonly tail: number;
  /** Whether a container of a stack is one of those asked for: they may come and go. */
  readonly wanted: (address: string) => boolean;
}

interface Source {
  readonly stack: string;
  readonly name: string;
  readonly reader: LogReader;
}

export class Logs {
  readonly #reader: KernelReader;
  readonly #stacks: readonly string[];
  readonly #options: LogOptions;
  readonly #sources = new Map<string, Source>();

  constructor(reader: KernelReader, stacks: readonly string[], options: LogOptions) {
    this.#reader = reader;
    this.#stacks = stacks;
    this.#options = options;
  }

  #containers(): FoundContainer[] {
    return this.#stacks
      .flatMap((stack) => findContainers(this.#reader, stack))
      .filter((c) => this.#options.wanted(fullAddress({ stack: c.stack, address: `container/${c.name}` })));
  }

  /** What each container has in its log, or in the end of it. */
  first(): Logged[] {
    const items = this.#look().flatMap((source) => lastOf(this.#entries(source), this.#options.tail));
    return byTime(items);
  }

  /** Readers of the containers that were not known yet. */
  #look(): Source[] {
    const added: Source[] = [];
    for (const { stack, name } of this.#containers()) {
      const key = `${stack}:${name}`;
      if (!this.#sources.has(key)) {
        const path = `${this.#directory(stack)}/${leafName(name)}.log`;
        const source = { stack, name, reader: new LogReader(path) };
        this.#sources.set(key, source);
        added.push(source);
      }
    }
    return added;
  }

  #directory(stack: string): string {
    return `${this.#reader.settings.runDir}/${stack}/logs`;
  }

  #entries({ stack, name, reader }: Source): Logged[] {
    return reader
      .read()
      .filter((entry) => passes(this.#options, entry))
      .map((entry) => ({ stack, name, entry }));
  }

  /** Gives what comes, replicas that are added included, until the last of the containers has ended. */
  async follow(give: (items: readonly Logged[]) => void): Promise<void> {
    let wake = (): void => undefined;
    const watch = new FileWatch(() => wake());
    try {
      for (let looked = 0, goesOn = true; goesOn;) {
        if (Date.now() - looked >= LOOK) {
          looked = Date.now();
          // Before the reading, or the last lines of one that ends now would be lost.
          goesOn = this.#containers().some((c) => c.supervised || c.alive);
          this.#look();
          this.#stacks.forEach((stack) => watch.add(this.#directory(stack)));
        }
        const items = byTime([...this.#sources.values()].flatMap((s) => this.#entries(s)));
        if (items.length > 0) {
          give(items);
        }
        if (goesOn && Date.now() < this.#options.until) {
          await new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, LOOK);
            wake = () => {
              clearTimeout(timer);
              resolve();
            };
          });
        } else {
          return;
        }
      }
    } finally {
      watch.close();
    }
  }
}

/** How often it is looked who runs and who is new, ms. What they write is told by inotify at once. */
const LOOK = 500;
