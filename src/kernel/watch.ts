/**
 * Being told of changes to kernel files by inotify(7): event files of cgroups raise IN_MODIFY when they change
 * (cgroup-v2.rst, "Basic operations"), and directories when children are made or removed.
 */
import { statSync, watch, type FSWatcher } from 'node:fs';
import { errnoOf, TsboxError } from '../errors.ts';

export class FileWatch {
  readonly #watchers = new Map<string, { readonly watcher: FSWatcher; readonly inode: number }>();
  readonly #changed: (path: string, entries: boolean) => void;

  /** @param changed a path has changed; `entries`: a directory's children came or went, or the path itself has gone */
  constructor(changed: (path: string, entries: boolean) => void) {
    this.#changed = changed;
  }

  /** How many paths are watched. */
  get size(): number {
    return this.#watchers.size;
  }

  /** Watches a path; false when it does not exist. Throws TSB3001 when the kernel takes no more watches. */
  add(path: string): boolean {
    if (this.#watchers.has(path)) {
      return true;
    }
    try {
      const watcher = watch(path, { persistent: true }, (kind) => this.#changed(path, kind === 'rename'));
      // A removed cgroup takes its watch with it.
      watcher.on('error', () => this.remove(path));
      this.#watchers.set(path, { watcher, inode: inodeOf(path) });
      return true;
    } catch (error) {
      const code = errnoOf(error);
      if (code === 'ENOENT' || code === 'ENODEV') {
        return false;
      }
      throw new TsboxError('TSB3001', `inotify ${path}: ${code}`, {
        syscall: 'inotify_add_watch',
        subject: path,
        errnoCode: code,
        hint: code === 'ENOSPC' ? 'raise /proc/sys/fs/inotify/max_user_watches' : undefined,
        cause: error,
      });
    }
  }

  remove(path: string): void {
    this.#watchers.get(path)?.watcher.close();
    this.#watchers.delete(path);
  }

  /** Lets go of a path that is gone, or has been made anew since: a watch is on what was there. */
  refresh(path: string): void {
    if (this.#watchers.has(path) && this.#watchers.get(path)?.inode !== inodeOf(path)) {
      this.remove(path);
    }
  }

  close(): void {
    for (const { watcher } of this.#watchers.values()) {
      watcher.close();
    }
    this.#watchers.clear();
  }
}

/** 0 for what is not there. */
function inodeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.ino ?? 0;
}
