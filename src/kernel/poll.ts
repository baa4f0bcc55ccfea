/** Being called when a descriptor has something to say, by the event loop: nothing waits and nothing runs meanwhile. */
import { closeSync, openSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { loadNative, openPidfd } from './native.ts';

/** Ends a watch; harmless when called twice. */
export type Stop = () => void;

/** Calls back whenever the descriptor is readable, which stays the caller's. */
export function onReadable(fd: number, ready: () => void): Stop {
  return poll(fd, false, ready);
}

/** Calls back once, when the process has ended; undefined when it has already. */
export function onEnd(pid: number, ended: () => void): Stop | undefined {
  const fd = openPidfd(pid);
  if (fd === undefined) {
    return undefined;
  }
  const stopPoll = poll(fd, false, () => {
    stop();
    ended();
  });
  const stop = once(() => {
    stopPoll();
    loadNative().close(fd);
  });
  return stop;
}

/**
 * Calls back when something is mounted or unmounted in a process's namespace (proc_pid_mountinfo(5): POLLPRI). The
 * open file keeps that namespace: it is to be stopped when the process ends. Undefined when the process is gone.
 */
export function onMounts(pid: number, changed: () => void): Stop | undefined {
  let fd: number;
  try {
    fd = openSync(`/proc/${pid}/mountinfo`, 'r');
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EINVAL'].includes(errnoOf(error))) {
      return undefined;
    }
    throw error;
  }
  const stopPoll = poll(fd, true, changed);
  return once(() => {
    stopPoll();
    closeSync(fd);
  });
}

function poll(fd: number, priority: boolean, ready: () => void): Stop {
  const native = loadNative();
  const handle = native.pollStart(fd, priority, ready);
  return once(() => native.pollStop(handle));
}

function once(end: () => void): Stop {
  let over = false;
  return () => {
    if (!over) {
      over = true;
      end();
    }
  };
}
