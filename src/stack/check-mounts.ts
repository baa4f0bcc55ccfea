/** What the mounts, secrets and configs of a container say together: targets in each other's way, and names of nothing. */
import type { ContainerSpec } from '../resources/container/schema.ts';
import { FILE_SECTIONS } from '../resources/container/files.ts';
import { isBelow, type MountSpec } from '../resources/container/mounts/schema.ts';
import { exists, lineOf, report, reportAt, type Checking } from './checking.ts';
import type { Path } from './build.ts';
import { child } from './tree.ts';
import { treeOf } from './checking.ts';

interface Target {
  readonly target: string;
  readonly path: Path;
}

/** The key that says where a mount goes. */
function targetKey({ kind }: MountSpec): string {
  return kind === 'bind' || kind === 'volume' || kind === 'image' ? 'target' : kind;
}

function targetsOf(container: ContainerSpec): Target[] {
  const mounts = container.mounts.map((m, i): Target => {
    return { target: m.target, path: ['mounts', i, targetKey(m)] };
  });
  const files = FILE_SECTIONS.flatMap((s) => container[s].map((f, i): Target => ({ target: f.target, path: [s, i] })));
  return [...mounts, ...files];
}

export function checkMounts(checking: Checking, container: ContainerSpec): void {
  const address = `container/${container.name}`;
  const seen = new Map<string, Target>();
  for (const at of targetsOf(container)) {
    const other = seen.get(at.target);
    if (other !== undefined) {
      const where = lineOf(checking, address, other.path);
      report(
        checking,
        'TSB1003',
        address,
        at.path,
        `something else is mounted on ${at.target} (${where})`,
        'one mount for each target',
      );
    }
    seen.set(at.target, at);
  }
  container.mounts.forEach((m, i) => {
    const key = targetKey(m);
    if (isBelow(m.target, '/proc') && !m.overProc) {
      report(
        checking,
        'TSB1003',
        address,
        ['mounts', i, key],
        `${m.target} would cover /proc, on which the container's own protection rests`,
        'a target elsewhere',
        'if it is meant, add over_proc: true',
      );
    }
    if (m.kind === 'volume') {
      exists(checking, 'volume', m.volume, address, ['mounts', i, 'volume'], 'volumes');
    }
    if (m.kind === 'cgroup' && container.namespaces.cgroup.kind !== 'new' && m.readonly === false) {
      report(
        checking,
        'TSB1003',
        address,
        ['mounts', i, 'readonly'],
        "a writable cgroup tree needs a cgroup namespace of its own: without one it is the host's",
        'namespaces: { cgroup: new }, or no readonly: false',
      );
    }
    if (m.kind === 'mqueue' && container.namespaces.ipc.kind === 'host') {
      report(
        checking,
        'TSB1003',
        address,
        ['mounts', i, 'mqueue'],
        "the message queues of the host are not a container's",
        "an ipc namespace that is not the host's",
      );
    }
  });
  for (const section of FILE_SECTIONS) {
    container[section].forEach((use, i) => {
      const named = child(child(child(treeOf(checking, address), section), i), 'source') === undefined;
      exists(checking, section.slice(0, -1), use.source, address, [section, i, ...(named ? [] : ['source'])], section);
    });
  }
  const tree = treeOf(checking, address);
  const shm = container.mounts.findIndex((m) => m.target === '/dev/shm');
  if (shm >= 0 && child(tree, 'shm_size') !== undefined) {
    reportAt(checking, 'key', 'TSB1003', address, ['shm_size'], 'shm_size and a mount on /dev/shm', 'one of the two');
  }
  if (container.namespaces.mnt.kind !== 'new') {
    for (const key of ['mounts', 'shm_size', ...FILE_SECTIONS]) {
      if (child(tree, key) !== undefined) {
        const message = `container '${container.name}' has ${key}, but sees the files of the mnt namespace it shares`;
        reportAt(checking, 'key', 'TSB1003', address, [key], message, `no ${key}, or namespaces: { mnt: new }`);
      }
    }
  }
}

/** A volume that is not ours keeps what it has. */
export function checkVolumes(checking: Checking): void {
  for (const spec of checking.items.volumes.values()) {
    const address = `volume/${spec.name}`;
    if (spec.path !== null && spec.external !== null) {
      reportAt(
        checking,
        'key',
        'TSB1003',
        address,
        ['external'],
        'path and external name two places',
        'one of the two',
      );
    }
    for (const key of ['owner', 'mode'] as const) {
      if ((spec.path !== null || spec.external !== null) && spec[key] !== null) {
        const message = `the ${key} of a volume that is not the stack's own is not changed`;
        reportAt(checking, 'key', 'TSB1003', address, [key], message, `no ${key} here`);
      }
    }
  }
}
