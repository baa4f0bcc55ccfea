/** Following the events of cgroups as they happen: what is watched, and turning changes of files into events. */
import type { Kernel } from '../kernel/kernel.ts';
import { MAX_DIRECTORIES } from '../kernel/reader.ts';
import { FileWatch } from '../kernel/watch.ts';
import { eventsBetween, eventSources, type CgroupEvent, type EventSource } from '../resources/cgroup/events.ts';
import { ADOPTED_XATTR, LABEL_XATTR } from '../resources/label.ts';
import { labelOn } from '../resources/ownership.ts';
import { ADOPTED } from '../resources/scope.ts';
import { HealthEvents } from './health-events.ts';

export interface StreamEvent extends CgroupEvent {
  readonly time: Date;
  /** Absolute path of the cgroup in its hierarchy. */
  readonly cgroup: string;
  readonly stack: string;
  /** The resource whose cgroup it is, or is below; undefined for one of nobody's. */
  readonly address: string | undefined;
  /** Text of the limit's file when it was hit. */
  readonly value?: string;
}

/** How long changes are gathered before they are looked at, ms: one read for what comes together. */
const GATHER = 10;
/** How often v1 files without notification are looked at, ms. */
const LOOK = 500;
/** How long an out-of-memory notice waits for its kill to be counted, ms, and how often it looks. */
const KILL_WAIT = 2000;
const KILL_LOOK = 20;
const A_DAY = 86_400_000;

interface Counters {
  readonly source: EventSource;
  readonly file: string;
  readonly eventfd: number | undefined;
  values: Readonly<Record<string, number>>;
}

/** A cgroup as a walk finds it. */
interface Found {
  readonly stack: string;
  readonly ino: number;
}

interface Group {
  readonly ino: number;
  readonly stack: string;
  address: string | undefined;
  readonly files: Counters[];
}

export class EventStream {
  readonly #kernel: Kernel;
  readonly #sources: readonly EventSource[];
  readonly #emit: (event: StreamEvent) => void;
  readonly #fail: (error: unknown) => void;
  readonly #watch: FileWatch;
  readonly #health: HealthEvents;
  readonly #groups = new Map<string, Group>();
  /** Files that changed. */
  readonly #dirty = new Set<string>();
  readonly #fileGroup = new Map<string, string>();
  readonly #wake: number;
  /** Cgroups whose attributes changed. */
  readonly #marked = new Set<string>();
  /** Directories whose children came or went, or that went themselves. */
  readonly #touched = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #looking: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(kernel: Kernel, emit: (event: StreamEvent) => void, fail: (error: unknown) => void) {
    this.#kernel = kernel;
    this.#emit = emit;
    this.#fail = fail;
    this.#sources = eventSources(kernel.layout);
    this.#health = new HealthEvents(kernel);
    this.#wake = kernel.eventfd();
    this.#watch = new FileWatch((path, entries) => this.#changed(path, entries));
  }

  /** Begins: what exists already makes no events. Returns the number of cgroups watched. */
  start(): number {
    this.#rescan(false);
    if (this.#sources.some((s) => s.notice === 'look')) {
      this.#looking = setInterval(() => this.#guard(() => this.#look()), LOOK);
    }
    void this.#followEventfds();
    return this.#groups.size;
  }

  close(): void {
    this.#closed = true;
    this.#watch.close();
    clearTimeout(this.#timer);
    clearInterval(this.#looking);
    this.#kernel.signalEventfd(this.#wake);
    for (const group of this.#groups.values()) {
      this.#forget(group);
    }
  }

  get #primary(): string {
    return this.#kernel.layout.primary?.mount ?? '';
  }

  #guard(body: () => void): void {
    try {
      body();
    } catch (error) {
      this.#fail(error);
    }
  }

  #changed(path: string, entries: boolean): void {
    if (this.#fileGroup.has(path)) {
      this.#dirty.add(path);
    } else if (!entries && !this.#mark(path)) {
      return;
    }
    if (entries) {
      this.#touched.add(path);
    }
    this.#schedule();
  }

  /** IN_ATTRIB on a cgroup's directory: an extended attribute was written. False for what is none of ours. */
  #mark(path: string): boolean {
    const cgroup = path.startsWith(this.#primary) ? path.slice(this.#primary.length) : '';
    return this.#groups.has(cgroup) && this.#marked.add(cgroup) !== undefined;
  }

  /** What supervisors have written of health. */
  #readHealth(cgroups: readonly string[], tell: boolean): void {
    const changes = this.#health.changes(cgroups.map((c) => `${this.#primary}${c}`));
    for (const cgroup of cgroups) {
      const [event, group] = [changes.get(`${this.#primary}${cgroup}`), this.#groups.get(cgroup)];
      if (tell && event !== undefined && group !== undefined) {
        this.#tell(cgroup, group, event);
      }
    }
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#guard(() => {
        if (this.#touched.size > 0) {
          this.#touched.forEach((path) => this.#watch.refresh(path));
          this.#touched.clear();
          this.#rescan(true);
        }
        this.#read([...this.#dirty]);
        const marked = [...this.#marked];
        this.#marked.clear();
        this.#readHealth(marked, true);
      });
    }, GATHER);
  }

  /** Finds cgroups that came and went. */
  #rescan(tell: boolean): void {
    const found = this.#walk();
    for (const [cgroup, group] of this.#groups) {
      if (found.get(cgroup)?.ino !== group.ino) {
        // What its files said at last is gone with them, but for the emptiness that removal takes for granted.
        this.#groups.delete(cgroup);
        this.#health.forget(`${this.#primary}${cgroup}`);
        const populated = group.files.find((f) => f.values['populated'] === 1);
        if (populated !== undefined) {
          this.#tell(cgroup, group, { event: 'emptied', count: 1 });
        }
        this.#forget(group);
        this.#tell(cgroup, group, { event: 'removed', count: 1 });
      }
    }
    for (const [cgroup, { stack, ino }] of found) {
      if (!this.#groups.has(cgroup)) {
        const group: Group = { ino, stack, address: undefined, files: [] };
        this.#groups.set(cgroup, group);
        this.#addFiles(cgroup, group);
        if (tell) {
          this.#tell(cgroup, group, { event: 'created', count: 1 });
          group.files.forEach((f) => this.#dirty.add(f.file));
          this.#marked.add(cgroup);
        }
      } else {
        // Directories in the other hierarchies come a little after the first.
        const group = this.#groups.get(cgroup);
        const before = group?.files.length ?? 0;
        if (group !== undefined && before < this.#sources.length) {
          this.#addFiles(cgroup, group);
          group.files.slice(before).forEach((f) => this.#dirty.add(f.file));
        }
      }
    }
    if (!tell) {
      this.#remember();
      this.#readHealth([...found.keys()], false);
    }
  }

  /**
   * The cgroups of all stacks and what they have taken over, by path, with their stack. Every directory is watched
   * before what is in it is listed for the last time, so that none made meanwhile is missed.
   */
  #walk(): Map<string, Found> {
    for (;;) {
      const watched = this.#watch.size;
      const found = this.#walkOnce();
      if (this.#watch.size === watched) {
        return found;
      }
    }
  }

  #walkOnce(): Map<string, Found> {
    const { layout, settings } = this.#kernel;
    const mount = layout.primary?.mount ?? '';
    const root = settings.cgroupRoot;
    const walked = this.#kernel.walkDirs(`${mount}${root}`, MAX_DIRECTORIES);
    const dirs = Array.isArray(walked) ? walked.filter((d) => d.path !== '') : [];
    for (const where of new Set([mount, ...this.#sources.map((s) => s.mount)])) {
      this.#watchExisting(where, root);
      // In the other hierarchies too: their directories come when the first one has been told of already.
      dirs.forEach(({ path }) => this.#watch.add(`${where}${root}/${path}`));
    }
    const found = new Map<string, Found>();
    for (const { path, ino } of dirs) {
      const stack = path.split('/')[0] ?? '';
      if (!path.split('/').some((part) => part.startsWith('_'))) {
        found.set(`${root}/${path}`, { stack, ino });
      }
      if (path === `${stack}/${ADOPTED}`) {
        this.#walkAdopted(found, mount, stack, `${mount}${root}/${path}`);
      }
    }
    return found;
  }

  #walkAdopted(found: Map<string, Found>, mount: string, stack: string, record: string): void {
    const paths = this.#kernel.getXattrs([record], ADOPTED_XATTR)[0];
    for (const path of typeof paths === 'string' ? paths.split('\n').filter((p) => p !== '') : []) {
      const walked = this.#kernel.walkDirs(`${mount}${path}`, MAX_DIRECTORIES);
      for (const dir of Array.isArray(walked) ? walked : []) {
        const full = dir.path === '' ? path : `${path}/${dir.path}`;
        this.#watch.add(`${mount}${full}`);
        found.set(full, { stack, ino: dir.ino });
      }
    }
  }

  /** Our root may not be there yet: the nearest directory above it tells when it comes. */
  #watchExisting(mount: string, root: string): void {
    for (let path = root; !this.#watch.add(`${mount}${path}`) && path !== '';) {
      path = path.slice(0, path.lastIndexOf('/'));
    }
  }

  #addFiles(cgroup: string, group: Group): void {
    for (const source of this.#sources.filter((s) => !group.files.some((f) => f.source === s))) {
      const directory = `${source.mount}${cgroup}`;
      const names = source.files.map((f) => `${directory}/${f}`);
      const file = names.find((name) => typeof this.#kernel.stats([name])[0] === 'object');
      if (file === undefined || (source.notice === 'inotify' && !this.#watch.add(file))) {
        continue;
      }
      const eventfd =
        source.notice === 'eventfd' ? this.#kernel.cgroupNotify(directory, source.files[0] ?? '') : undefined;
      group.files.push({ source, file, eventfd, values: {} });
      this.#fileGroup.set(file, cgroup);
      if (eventfd !== undefined) {
        this.#kernel.signalEventfd(this.#wake);
      }
    }
  }

  #forget(group: Group): void {
    for (const { file, eventfd } of group.files) {
      this.#watch.remove(file);
      this.#watch.remove(file.slice(0, file.lastIndexOf('/')));
      this.#fileGroup.delete(file);
      this.#dirty.delete(file);
      if (eventfd !== undefined) {
        this.#kernel.close(eventfd);
      }
    }
    group.files.length = 0;
  }

  #remember(): void {
    const all = [...this.#groups.values()].flatMap((g) => g.files);
    const texts = this.#kernel.readFiles(all.map((f) => f.file));
    all.forEach((f, i) => {
      const text = texts[i];
      f.values = typeof text === 'string' ? f.source.parse(text) : {};
    });
  }

  #counters(file: string): Counters | undefined {
    return this.#groups.get(this.#fileGroup.get(file) ?? '')?.files.find((f) => f.file === file);
  }

  #read(files: readonly string[]): void {
    this.#dirty.clear();
    const texts = this.#kernel.readFiles(files);
    files.forEach((file, i) => {
      const [text, counters] = [texts[i], this.#counters(file)];
      const cgroup = this.#fileGroup.get(file) ?? '';
      const group = this.#groups.get(cgroup);
      if (typeof text !== 'string' || counters === undefined || group === undefined) {
        return;
      }
      const before = counters.values;
      counters.values = counters.source.parse(text);
      for (const event of eventsBetween(before, counters.values)) {
        this.#tell(cgroup, group, event, counters.source.mount);
      }
    });
  }

  #tell(cgroup: string, group: Group, event: CgroupEvent, mount?: string): void {
    group.address ??= this.#addressOf(cgroup);
    const text =
      event.limit === undefined || mount === undefined
        ? undefined
        : this.#kernel.readFiles([`${mount}${cgroup}/${event.limit}`])[0];
    this.#emit({
      ...event,
      time: new Date(),
      cgroup,
      stack: group.stack,
      address: group.address,
      ...(typeof text === 'string' ? { value: text.trim() } : {}),
    });
  }

  /** The label of the cgroup, or of the nearest one above it. */
  #addressOf(cgroup: string): string | undefined {
    const mount = this.#kernel.layout.primary?.mount ?? '';
    const parts = cgroup.split('/');
    const paths = parts.slice(1).map((_, i) => `${mount}${parts.slice(0, parts.length - i).join('/')}`);
    const stats = this.#kernel.stats(paths);
    for (const [i, text] of this.#kernel.getXattrs(paths, LABEL_XATTR).entries()) {
      const stat = stats[i];
      const label = typeof stat === 'object' ? labelOn(text, stat.ino) : undefined;
      if (label !== undefined) {
        return label.address;
      }
    }
    return undefined;
  }

  /** Looks at the v1 files that tell nobody when they change. */
  #look(): void {
    const files = [...this.#groups.values()].flatMap((g) => g.files.filter((f) => f.source.notice === 'look'));
    this.#read([...files.map((f) => f.file), ...this.#dirty]);
  }

  async #followEventfds(): Promise<void> {
    while (!this.#closed) {
      const with_ = [...this.#groups.values()].flatMap((g) => g.files.filter((f) => f.eventfd !== undefined));
      const fds = [this.#wake, ...with_.map((f) => f.eventfd ?? -1)];
      const ready = await this.#kernel.waitEventfds(fds, A_DAY);
      if (this.#closed) {
        break;
      }
      this.#guard(() => {
        for (const index of ready.filter((i) => i > 0)) {
          this.#outOfMemory(with_[index - 1], Date.now() + KILL_WAIT);
        }
      });
    }
    this.#kernel.close(this.#wake);
  }

  /** The notice comes before the kill: the counter is looked at until it has risen. */
  #outOfMemory(counters: Counters | undefined, deadline: number): void {
    const file = counters?.file ?? '';
    const cgroup = this.#fileGroup.get(file);
    const group = this.#groups.get(cgroup ?? '');
    if (counters === undefined || cgroup === undefined || group === undefined) {
      return;
    }
    this.#tell(cgroup, group, { event: 'oom', count: 1 });
    const before = counters.values['memory.oom_kill'] ?? 0;
    const look = (): void => {
      if (this.#closed || !this.#fileGroup.has(file)) {
        return;
      }
      this.#read([file, ...this.#dirty]);
      if ((counters.values['memory.oom_kill'] ?? 0) === before && Date.now() < deadline) {
        setTimeout(() => this.#guard(look), KILL_LOOK);
      }
    };
    look();
  }
}
