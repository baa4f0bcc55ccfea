/**
 * The watcher: what the kernel tells leads to a reading of the stack, and so does the interval; the reading alone
 * decides. Each new item is told once, and its end; what the policy names is healed under the stack's lock.
 */
import type { Kernel } from '../../kernel/kernel.ts';
import { bySeverity, type DriftItem } from '../../report/drift/model.ts';
import { lockDirectory, lockHolder } from '../../resources/lock-holder.ts';
import type { Severity } from '../../resources/drift-settings.ts';
import { secretTexts } from '../../resources/files.ts';
import { reportOf, type Subject } from '../drift/report.ts';
import type { Tell } from '../happenings.ts';
import { hideSecrets, withoutSecrets } from '../output.ts';
import { applyQuietly, reasonOf } from '../quiet-apply.ts';
import { Backoff } from './backoff.ts';
import { NO_COUNTS, type Counters, type StackMetrics } from './metrics.ts';
import { Sources } from './sources.ts';
import { nameOf, withRecorded } from './subjects.ts';
import { WriterLog } from './writers.ts';

export interface WatchOptions {
  readonly intervalMs: number;
  /** Stacks without a file, too. */
  readonly all: boolean;
  readonly heal: readonly Severity[];
}

/** What comes together is read once. */
const GATHER = 50;
/** A stack that is being applied is looked at again after so long. */
const LOCKED = 300;
/** At least so many times as long as a reading takes lies between two of one stack, so that a storm costs little. */
const REST = 4;
const LONGEST_REST = 5000;

interface Watched {
  subject: Subject;
  items: ReadonlyMap<string, DriftItem>;
  metrics: StackMetrics;
  timer: NodeJS.Timeout | undefined;
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
  readonly #backoff = new Backoff();
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
    this.#sources = new Sources(kernel, {
      touched: (stack) => {
        this.counters.events++;
        this.#schedule(stack, GATHER);
      },
      lost: () => this.#all(),
      wrote: (event) => this.#writers.note(event),
      fail: (error) => this.#failed(undefined, 'watch_failed', error),
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
          metrics: { stack: name, sync: 'unknown', fields: NO_FIELDS, lastCheck: undefined, checkMs: 0 },
          timer: undefined,
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
    if (watched === undefined || watched.timer !== undefined || this.#ended) {
      return;
    }
    watched.timer = setTimeout(
      () => {
        watched.timer = undefined;
        void this.#check(name);
      },
      Math.max(delay, watched.notBefore - Date.now()),
    );
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
        watched.metrics = { ...watched.metrics, sync: 'unknown' };
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
      fields: bySeverity(report.items),
      lastCheck: Date.now(),
      checkMs: took,
    };
    this.#tellChanges(name, watched, report.items);
    await this.#heal(name, watched, subject);
  }

  #tellChanges(name: string, watched: Watched, items: readonly DriftItem[]): void {
    const before = watched.items;
    watched.items = new Map(items.map((i) => [i.id, i]));
    for (const item of items.filter((i) => before.get(i.id)?.text !== i.text)) {
      const { id, address, attribute, severity, text, since, whom } = item;
      const by =
        whom === null
          ? ''
          : `, by ${whom.gone ? `process ${whom.pid}, which has ended` : `${whom.comm ?? 'process'} (${whom.pid})`}`;
      this.#tell({
        event: 'drift',
        stack: name,
        message: `${severity}: ${address} ${text}${by}`,
        id,
        address,
        class: item.class,
        attribute,
        severity,
        declared: item.declared,
        live: item.live,
        since,
        whom,
      });
    }
    for (const [id, item] of before) {
      if (!watched.items.has(id)) {
        const { address, attribute } = item;
        this.#tell({
          event: 'drift_ended',
          stack: name,
          message: `${address} ${attribute || item.class}`,
          id,
          address,
          attribute,
        });
      }
    }
  }

  async #heal(name: string, watched: Watched, subject: Subject): Promise<void> {
    const now = Date.now();
    const wanted = [...watched.items.values()].filter(
      (i) => this.#options.heal.includes(i.severity) && i.heal.action !== 'by-hand',
    );
    const due = wanted.filter((i) => this.#backoff.due(i.id, now) <= now);
    const later = wanted.filter((i) => !due.includes(i)).map((i) => this.#backoff.due(i.id, now) - now);
    if (later.length > 0) {
      watched.notBefore = 0;
      this.#schedule(name, Math.min(...later));
    }
    if (due.length === 0 || this.#ended || !('stack' in subject)) {
      return;
    }
    const outcome = await applyQuietly(this.#kernel, name, subject.stack, {
      targets: [],
      destroy: false,
      interrupted: () => this.#ended,
      heal: (drift) =>
        due.some(
          (i) =>
            i.address === drift.address &&
            i.attribute === drift.attribute &&
            (i.class === 'missing') === (drift.class === 'missing') &&
            (i.class === 'unmanaged') === (drift.class === 'unmanaged'),
        ),
    });
    const addresses = [...new Set(due.map((i) => i.address))];
    if (outcome.result === 'locked') {
      this.#schedule(name, LOCKED);
      return;
    }
    for (const item of due) {
      const { times, delay } = this.#backoff.healed(item.id, Date.now());
      if (times > 1) {
        this.counters.backedOff++;
        this.#tell({
          event: 'backing_off',
          stack: name,
          message: `${item.address} ${item.attribute || item.class} came back ${times - 1} ${times === 2 ? 'time' : 'times'}: something fights back; not healed again within ${delay / 1000} s`,
          id: item.id,
          address: item.address,
          attribute: item.attribute,
          times,
          delay_seconds: delay / 1000,
        });
      }
    }
    if (!('reason' in outcome)) {
      this.counters.healed++;
      this.#tell({
        event: 'healed',
        stack: name,
        message: addresses.join(', '),
        addresses,
        items: due.map((i) => i.id),
      });
    } else {
      this.counters.healFailed++;
      this.counters.errors++;
      this.#tell({
        event: 'heal_failed',
        stack: name,
        message: `${addresses.join(', ')}: ${outcome.reason}`,
        addresses,
      });
    }
    this.#schedule(name, GATHER);
  }

  #failed(stack: string | undefined, event: string, error: unknown): void {
    this.counters.errors++;
    this.#tell({ event, stack, message: reasonOf(error) });
  }
}

const NO_FIELDS = { security: 0, capacity: 0, cosmetic: 0 };
