/**
 * Being told when links or addresses of network namespaces change, by one rtnetlink(7) socket in ours: the kernel gives
 * each namespace that is followed a number here, which `ip netns list-id` shows and which goes with the namespace.
 */
import { errnoOf } from '../errors.ts';
import { loadNative } from './native.ts';
import { onReadable, type Stop } from './poll.ts';

export class LinkWatch {
  readonly #fd: number;
  readonly #stop: Stop;

  /**
   * @param changed something happened in a namespace of this number
   * @param lost messages were dropped: anything may have happened
   */
  constructor(changed: (namespace: number) => void, lost: () => void) {
    const native = loadNative();
    this.#fd = native.rtnetlinkOpen();
    this.#stop = onReadable(this.#fd, () => {
      const read = native.rtnetlinkRead(this.#fd);
      if (read.lost) {
        lost();
      }
      read.namespaces.forEach(changed);
    });
  }

  /** The number of a process's network namespace, which is followed from here on; undefined when the process is gone. */
  follow(pid: number): number | undefined {
    try {
      return loadNative().rtnetlinkNamespace(pid);
    } catch (error) {
      if (['ESRCH', 'EINVAL'].includes(errnoOf(error))) {
        return undefined;
      }
      throw error;
    }
  }

  close(): void {
    this.#stop();
    loadNative().close(this.#fd);
  }
}
