/**
 * The watcher: what the kernel tells leads to a reading of the stack, and so does the interval; the reading alone
 * decides. Each new item is told once, and its end; what the policy names is healed under the stack's lock.
 */
import { appendRunLine } from '../../kernel/drift-history.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import type { FileEvent } from '../../kernel/monitor.ts';
import { loadNative } from '../../kernel/native.ts';
import { runLine } from '../../report/drift/history.ts';
import { bySeverity, type DriftItem } from '../../report/drift/model.ts';
import { lockDirectory, lockHolder } from '../../resources/lock-holder.ts';
import type { Severity } from '../../resources/drift-settings.ts';
import { secretTexts } from '../../resources/files.ts';
import { reportOf, type Subject } from '../drift/report.ts';
import type { Tell } from '../daemon/happenings.ts';
import { stackHealth } from '../daemon/health.ts';
import { hideSecrets, withoutSecrets } from '../output.ts';
import { reasonOf } from '../quiet-apply.ts';
import { Healer, LOCKED } from './healer.ts';
import { ratioOf } from '../../report/drift/coverage.ts';
import { NO_COUNTS, type Counters, type StackMetrics } from './metrics.ts';
import { Sources } from './sources.ts';
import { nameOf, withRecorded } from './subjects.ts';
import { driftHappening, endHappening } from './told.ts';
import { WriterLog } from './writers.ts';

export interface WatchOptions {
  readonly intervalMs: number;
  /** Stacks without a file, too. */
  readonly all: boolean;
  readonly heal: readonly Severity[];
}

/** What comes together is read once. */
const GATHER = 50;
/** At least so many times as long as a reading takes lies between two of one stack, so that a storm costs little. */
const REST = 4;
const LONGEST_REST = 5000;

interface Watched {
  subject: Subject;
  items: ReadonlyMap<string, DriftItem>;
  metrics: StackMetrics;
  timer: NodeJS.Timeout | undefined;
  /** When it goes off, ms since the epoch. */
  at: number;
  notBefore: number;
}

export class Watcher {
  readonly counters: Counters = { ...NO_COUNTS };
  readonly #kernel: Kernel;
  readonly #tell: Tell;
  readonly #options: WatchOptions;
  readonly #sources: Sources;
  readonly #writers: WriterLog;
  readonly #stacks = new Map<string, Watched>();
  readonly #healer: Healer;
  #declared: readonly Subject[];
  #interval: NodeJS.Timeout | undefined;
  /** One reading at a time. */
  #turn: Promise<void> = Promise.resolve();
  #ended = false;

  constructor(kernel: Kernel, declared: readonly Subject[], options: WatchOptions, tell: Tell) {
    this.#kernel = kernel;
    this.#declared = declared;
    this.#options = options;
    this.#tell = tell;
    this.#writers = new WriterLog(kernel);
    this.#healer = new Healer(kernel, options.heal, this.counters, tell, () => this.#ended);
    this.#sources = new Sources(kernel, {
      touched: (stack) => {
        this.counters.events++;
        this.#schedule(stack, GATHER);
      },
      lost: () => this.#all(),
      wrote: (event) => this.#note(event),
      fail: (error) => {
        this.#failed(undefined, 'watch_failed', error);
        this.#tell({
          event: 'watch_failed',
          message: 'from here on only the interval notices changes of cgroup files',
        });
      },
    });
  }

  /** The first reading of every stack, and the interval from then on. */
  async start(): Promise<void> {
    for (const { mount, reason } of this.#sources.anonymous) {
      this.#tell({ event: 'no_writers', mount, reason, message: `who writes in ${mount} cannot be told (${reason})` });
    }
    this.#all();
    await Promise.all([...this.#stacks.keys()].map((name) => this.#check(name)));
    this.#interval = setInterval(() => this.#all(), this.#options.intervalMs);
  }

  metrics(): StackMetrics[] {
    return [...this.#stacks.values()].map((s) => s.metrics);
  }

  /** Takes other stacks; what both have goes on. */
  reload(declared: readonly Subject[]): void {
    this.#declared = declared;
    this.#all();
  }

  /** Ends when what runs has finished. Nothing that is watched is touched. */
  async close(): Promise<void> {
    this.#ended = true;
    clearInterval(this.#interval);
    this.#stacks.forEach((s) => clearTimeout(s.timer));
    await this.#turn;
    this.#sources.close();
    this.#writers.close();
  }

  /** That nobody can be named later is no reason to notice nothing. */
  #note(event: FileEvent): void {
    try {
      this.#writers.note(event);
    } catch (error) {
      this.#failed(undefined, 'watch_failed', error);
    }
  }

  #all(): void {
    const subjects = withRecorded(this.#kernel, this.#declared, this.#options.all);
    const names = new Set(subjects.map(nameOf));
    for (const [name, watched] of this.#stacks) {
      if (!names.has(name)) {
        clearTimeout(watched.timer);
        this.#stacks.delete(name);
      }
    }
    for (const subject of subjects) {
      const name = nameOf(subject);
      const watched = this.#stacks.get(name);
      if (watched === undefined) {
        this.#stacks.set(name, {
          subject,
          items: new Map(),
          metrics: {
            stack: name,
            sync: 'unknown',
            health: 'unknown',
            fields: NO_FIELDS,
            lastCheck: undefined,
            checkMs: 0,
          },
          timer: undefined,
          at: 0,
          notBefore: 0,
        });
      } else {
        watched.subject = subject;
      }
      this.#schedule(name, 0);
    }
  }

  #schedule(name: string, delay: number): void {
    const watched = this.#stacks.get(name);
    if (watched === undefined && this.#options.all) {
      // One that is new: the next look at all of them is now.
      this.#all();
      return;
    }
    const at = Math.max(Date.now() + delay, watched?.notBefore ?? 0);
    if (watched === undefined || this.#ended || (watched.timer !== undefined && watched.at <= at)) {
      return;
    }
    // What waits for a later time (a healing) gives way to what is to be read now.
    clearTimeout(watched.timer);
    watched.at = at;
    watched.timer = setTimeout(() => void this.#check(name), at - Date.now());
  }

  #check(name: string): Promise<void> {
    this.#turn = this.#turn.then(async () => {
      const watched = this.#stacks.get(name);
      if (watched === undefined || this.#ended) {
        return;
      }
      clearTimeout(watched.timer);
      watched.timer = undefined;
      try {
        await this.#read(name, watched);
      } catch (error) {
        watched.metrics = { ...watched.metrics, sync: 'unknown', health: 'unknown' };
        this.#failed(name, 'check_failed', error);
      }
    });
    return this.#turn;
  }

  async #read(name: string, watched: Watched): Promise<void> {
    const began = Date.now();
    const { subject } = watched;
    const locked = (): boolean => lockHolder(this.#kernel, lockDirectory(this.#kernel, name)) !== undefined;
    if (locked()) {
      this.#schedule(name, LOCKED);
      return;
    }
    if ('stack' in subject) {
      hideSecrets(subject.stack, secretTexts(subject.stack.secrets.values()));
    }
    if (!('stack' in subject) && typeof this.#kernel.stats([lockDirectory(this.#kernel, name)])[0] !== 'object') {
      // Without a file there is nothing that says it should be there.
      this.#stacks.delete(name);
      this.#tell({ event: 'gone', stack: name, message: 'destroyed' });
      return;
    }
    this.#sources.follow(name);
    const report = withoutSecrets(await reportOf(this.#kernel, subject, began));
    if (locked()) {
      // An apply began meanwhile: what was read is half of it.
      this.#schedule(name, LOCKED);
      return;
    }
    this.counters.checks++;
    const took = Date.now() - began;
    watched.notBefore = Date.now() + Math.min(REST * took, LONGEST_REST);
    watched.metrics = {
      stack: name,
      sync: report.items.length === 0 ? 'synced' : 'drifted',
      health: stackHealth(this.#kernel, name),
      fields: bySeverity(report.items),
      coverage: report.coverage === null ? undefined : ratioOf(report.coverage),
      lastCheck: Date.now(),
      checkMs: took,
    };
    if (this.#tellChanges(name, watched, report.items)) {
      const { stateDir } = this.#kernel.settings;
      await appendRunLine(loadNative(), stateDir, name, runLine(report, this.#kernel.bootId));
    }
    const again = 'stack' in subject ? await this.#healer.heal(subject.stack, report.items) : undefined;
    if (again !== undefined) {
      this.#schedule(name, again);
    }
  }

  /** @returns whether anything is other than at the last reading */
  #tellChanges(name: string, watched: Watched, items: readonly DriftItem[]): boolean {
    const before = watched.items;
    watched.items = new Map(items.map((i) => [i.id, i]));
    const news = items.filter((i) => before.get(i.id)?.text !== i.text);
    const over = [...before].filter(([id]) => !watched.items.has(id));
    news.forEach((item) => this.#tell(driftHappening(name, item)));
    over.forEach(([, item]) => this.#tell(endHappening(name, item)));
    return news.length + over.length > 0;
  }

  #failed(stack: string | undefined, event: string, error: unknown): void {
    this.counters.errors++;
    this.#tell({ event, stack, message: reasonOf(error) });
  }
}

const NO_FIELDS = { security: 0, capacity: 0, cosmetic: 0 };
