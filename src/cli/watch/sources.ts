/** What the kernel tells of stacks: writes to cgroup files, ends of processes, mounts. Each only says: look again. */
import { errnoOf } from '../../errors.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { CgroupMonitor, type FileEvent } from '../../kernel/monitor.ts';
import { LinkWatch } from '../../kernel/links.ts';
import { onEnd, onMounts, type Stop } from '../../kernel/poll.ts';
import { FileWatch } from '../../kernel/watch.ts';
import { namespacesOf } from '../../resources/namespace/members.ts';
import { ADOPTED, readScope } from '../../resources/scope.ts';
import { ADOPTED_XATTR } from '../../resources/label.ts';

export interface SourceHandlers {
  /** Something happened to a stack. */
  touched(stack: string): void;
  /** Anything may have happened to any of them. */
  lost(): void;
  wrote(event: FileEvent): void;
  fail(error: unknown): void;
}

interface Followed {
  readonly stops: Map<string, Stop>;
  readonly files: Set<string>;
  /** Numbers of the network namespaces of its containers, those of ours left out. */
  networks: ReadonlySet<number>;
  adopted: readonly string[];
}

function openLinks(changed: (namespace: number) => void, lost: () => void): LinkWatch | undefined {
  try {
    return new LinkWatch(changed, lost);
  } catch (error) {
    if (['EPERM', 'EAFNOSUPPORT', 'EPROTONOSUPPORT', 'ENOPROTOOPT'].includes(errnoOf(error))) {
      return undefined;
    }
    throw error;
  }
}

export class Sources {
  readonly #kernel: Kernel;
  readonly #handlers: SourceHandlers;
  readonly #monitor: CgroupMonitor;
  /** The kernel's own changes: cgroup.events. */
  readonly #files: FileWatch;
  readonly #stacks = new Map<string, Followed>();
  /** Undefined where this kernel or these privileges have none: links are seen by the full check then. */
  readonly #links: LinkWatch | undefined;
  readonly #roots: readonly string[];

  constructor(kernel: Kernel, handlers: SourceHandlers) {
    this.#kernel = kernel;
    this.#handlers = handlers;
    this.#roots = kernel.layout.hierarchies.map((h) => `${h.mount}${kernel.settings.cgroupRoot}/`);
    this.#files = new FileWatch((path) => {
      const stack = this.#stackOf(path);
      if (stack !== undefined) {
        handlers.touched(stack);
      }
    });
    this.#links = openLinks(
      (namespace) => {
        const touched = [...this.#stacks].filter(([, { networks }]) => networks.has(namespace));
        touched.forEach(([stack]) => handlers.touched(stack));
      },
      () => handlers.lost(),
    );
    this.#monitor = new CgroupMonitor(kernel, {
      wanted: (path) => this.#stackOf(path) !== undefined,
      event: (event) => {
        const stack = this.#stackOf(event.path);
        if (stack !== undefined) {
          handlers.wrote(event);
          handlers.touched(stack);
        }
      },
      lost: () => handlers.lost(),
      fail: (error) => handlers.fail(error),
    });
  }

  /** Hierarchies whose writers cannot be told, and why. */
  get anonymous(): CgroupMonitor['anonymous'] {
    return this.#monitor.anonymous;
  }

  close(): void {
    this.#monitor.close();
    this.#links?.close();
    this.#files.close();
    for (const { stops } of this.#stacks.values()) {
      stops.forEach((stop) => stop());
    }
    this.#stacks.clear();
  }

  /** Follows what the stack has now, and no longer what it had. */
  follow(stack: string): void {
    const scope = readScope(this.#kernel, stack);
    const followed = this.#stacks.get(stack) ?? {
      stops: new Map<string, Stop>(),
      files: new Set<string>(),
      networks: new Set<number>(),
      adopted: [],
    };
    this.#stacks.set(stack, followed);
    const record = this.#kernel.getXattrs([`${scope.directory}/${ADOPTED}`], ADOPTED_XATTR)[0];
    followed.adopted = typeof record === 'string' ? record.split('\n').filter((p) => p !== '') : [];
    const wanted = new Map<string, () => Stop | undefined>();
    const files = new Set<string>();
    const mount = this.#kernel.layout.primary?.mount ?? '';
    for (const [path, { run, label }] of scope.entries) {
      if (label?.address.startsWith('container/') === true && this.#kernel.layout.primary?.version === 2) {
        files.add(path.startsWith('/') ? `${mount}${path}/cgroup.events` : `${scope.directory}/${path}/cgroup.events`);
      }
      if (run === undefined || run.supervisor === 0) {
        continue;
      }
      this.#want(wanted, stack, run.supervisor, run.supervisorStartTime, false);
      if (run.pid > 0) {
        this.#want(wanted, stack, run.pid, run.startTime, true);
      }
    }
    for (const [key, stop] of followed.stops) {
      if (!wanted.has(key)) {
        stop();
        followed.stops.delete(key);
      }
    }
    for (const [key, start] of wanted) {
      const stop = followed.stops.has(key) ? undefined : start();
      if (stop !== undefined) {
        followed.stops.set(key, stop);
      }
    }
    followed.networks = this.#networksOf(
      [...scope.entries.values()].flatMap(({ run }) => (run === undefined || run.pid === 0 ? [] : [run.pid])),
    );
    [...followed.files].filter((f) => !files.has(f)).forEach((f) => this.#files.remove(f));
    followed.files.clear();
    [...files].filter((f) => this.#files.add(f)).forEach((f) => followed.files.add(f));
  }

  #networksOf(pids: readonly number[]): Set<number> {
    const [own = {}, ...others] = this.#links === undefined ? [] : namespacesOf(this.#kernel, ['self', ...pids]);
    // Containers of a stack often share one: it is asked for once.
    const one = new Map(others.flatMap(({ net }, i) => (net === undefined || net === own.net ? [] : [[net, pids[i]]])));
    return new Set(
      [...one.values()].flatMap((pid) => {
        const number = pid === undefined ? undefined : this.#links?.follow(pid);
        return number === undefined ? [] : [number];
      }),
    );
  }

  #want(wanted: Map<string, () => Stop | undefined>, stack: string, pid: number, start: string, mounts: boolean): void {
    wanted.set(`${pid}/${start}`, () => {
      const watched: { mounts?: Stop | undefined } = {};
      // The namespace is let go of as soon as its process has ended.
      const stopEnd = onEnd(pid, () => {
        watched.mounts?.();
        this.#handlers.touched(stack);
      });
      if (stopEnd === undefined) {
        return undefined;
      }
      watched.mounts = mounts ? onMounts(pid, () => this.#handlers.touched(stack)) : undefined;
      return () => {
        stopEnd();
        watched.mounts?.();
      };
    });
  }

  #stackOf(path: string): string | undefined {
    const root = this.#roots.find((r) => path.startsWith(r));
    if (root !== undefined) {
      const name = path.slice(root.length).split('/')[0] ?? '';
      return name === '' || name.startsWith('_') ? undefined : name;
    }
    for (const [stack, { adopted }] of this.#stacks) {
      const mounts = this.#kernel.layout.hierarchies.map((h) => h.mount);
      if (adopted.some((a) => mounts.some((m) => path === `${m}${a}` || path.startsWith(`${m}${a}/`)))) {
        return stack;
      }
    }
    return undefined;
  }
}
