/** What every step runner is given. */
import type { Kernel, SpawnResult } from '../kernel/kernel.ts';
import type { Value } from '../resources/attribute.ts';
import type { ContainerSpec } from '../resources/container/schema.ts';
import { directoryIn } from '../resources/scope.ts';
import type { Stack } from '../stack/types.ts';
import type { Restore } from './checkpoint/meta.ts';

export interface ExecutionContext {
  readonly kernel: Kernel;
  readonly stackName: string;
  readonly stack: Stack | undefined;
  readonly cache: ExecutionCache;
  /** A checkpoint that the next start of its container takes up. */
  readonly restore?: Restore | undefined;
  /** Containers are started with our own stdio and end with us, see `run`. */
  readonly foreground?: Foreground;
}

export interface Foreground {
  readonly tty: boolean;
  /** Of the container's process, once it has been started: resolves when it has ended. */
  ended?: Promise<SpawnResult>;
}

/** What one run need not find out twice. */
export interface ExecutionCache {
  /** Directories known to exist: ancestors of what is being made. */
  readonly directories: Set<string>;
  /** Compiled device programs by the canonical rules they enforce. */
  readonly programs: Map<string, Uint8Array>;
  /** Whether the supervisors' leaf has been made. */
  supervisors: readonly string[] | undefined;
  /** The stack existed before this run, so an apply that was killed may have left processes that no label knows. */
  mayHaveOrphans: boolean;
  /** Text of /proc/self/mountinfo without our own pins, which no container sees. */
  mountinfo: string | undefined;
  /** Containers whose image was made ready in this run, and what they want then. */
  readonly specs: Map<string, ContainerSpec>;
  readonly resolved: Map<string, Readonly<Record<string, Value>>>;
  /** Fetches by the image's name in the store: each once a run. */
  readonly fetches: Map<string, Promise<void>>;
  /** Tells something of a container while it is made. */
  note: ((container: string, text: string) => void) | undefined;
}

export function executionContext(
  kernel: Kernel,
  stackName: string,
  stack: Stack | undefined,
  restore?: Restore,
): ExecutionContext {
  return {
    kernel,
    stackName,
    stack,
    restore,
    cache: {
      directories: new Set(),
      programs: new Map(),
      supervisors: undefined,
      mayHaveOrphans: true,
      mountinfo: undefined,
      specs: new Map(),
      resolved: new Map(),
      fetches: new Map(),
      note: undefined,
    },
  };
}

/** Directory of a cgroup in the primary hierarchy. */
export function primaryDirectory(context: ExecutionContext, path: string): string {
  const { kernel, stackName } = context;
  return directoryIn(kernel.layout.primary?.mount ?? '', kernel.settings.cgroupRoot, stackName, path);
}

/** Directories of a cgroup in every hierarchy, with the hierarchy. */
export function allDirectories(
  context: ExecutionContext,
  path: string,
): Array<{ dir: string; version: 1 | 2; name: string; mount: string; controllers: readonly string[] }> {
  const { kernel, stackName } = context;
  return kernel.layout.hierarchies.map((h) => ({
    dir: directoryIn(h.mount, kernel.settings.cgroupRoot, stackName, path),
    version: h.version,
    name: h.name,
    mount: h.mount,
    controllers: h.controllers,
  }));
}

/** Directory of a stack's runtime files. */
export function stackRunDir(context: ExecutionContext): string {
  return `${context.kernel.settings.runDir}/${context.stackName}`;
}
