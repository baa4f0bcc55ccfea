/**
 * Whether the cgroups above ours hand on the controllers a stack needs (cgroup-v2.rst, "Delegation"; systemd's
 * CGROUP_DELEGATION.md). What is above our root is not ours to change, unless it is the hierarchy's own root.
 */
import type { KernelReader } from '../../kernel/reader.ts';
import { TsboxError } from '../../errors.ts';
import { parsePids } from '../../kernel/proc.ts';

export interface Withheld {
  readonly controller: string;
  /** The cgroup whose cgroup.subtree_control lacks it, as a path within the hierarchy: '/system.slice'. */
  readonly ancestor: string;
  /** The systemd unit that would have to delegate it, if the ancestors look like systemd's. */
  readonly unit: string | undefined;
}

export interface Delegation {
  readonly withheld: readonly Withheld[];
  /** The nearest of our root and its ancestors that is threaded, with its cgroup.type. */
  readonly threaded: { readonly path: string; readonly type: string } | undefined;
  /** Processes in our root, which stand in the way of controllers for what is below. */
  readonly inner: readonly number[];
}

/** Examines the way from the mounted root to our own root in the v2 hierarchy. */
export function delegation(
  reader: Pick<KernelReader, 'layout' | 'settings' | 'readFiles'>,
  needed: readonly string[],
): Delegation {
  const v2 = reader.layout.hierarchies.find((h) => h.version === 2);
  if (v2 === undefined) {
    return { withheld: [], threaded: undefined, inner: [] };
  }
  const parts = reader.settings.cgroupRoot.split('/').filter((p) => p !== '');
  const paths = parts.map((_, i) => `/${parts.slice(0, i + 1).join('/')}`);
  const texts = reader.readFiles(
    paths.flatMap((p) => ['cgroup.controllers', 'cgroup.type', 'cgroup.procs'].map((f) => `${v2.mount}${p}/${f}`)),
  );
  const existing = paths.flatMap((path, i) => {
    const controllers = texts[3 * i];
    const type = texts[3 * i + 1];
    const procs = texts[3 * i + 2];
    return typeof controllers === 'string'
      ? [
          {
            path,
            controllers: controllers.trim().split(' '),
            type: typeof type === 'string' ? type.trim() : 'domain',
            pids: typeof procs === 'string' ? parsePids(procs) : [],
          },
        ]
      : [];
  });
  const withheld = needed.flatMap((controller): Withheld[] => {
    // The first existing ancestor that was not given it tells whose subtree_control lacks it; the root of the hierarchy
    // we may tell to hand on what it has.
    const at = existing.findIndex((e, i) => i > 0 && !e.controllers.includes(controller));
    const ancestor = existing[at - 1]?.path;
    return ancestor === undefined || (at === 1 && existing.length === 1)
      ? []
      : [{ controller, ancestor, unit: unitOf(paths) }];
  });
  const threaded = existing.find((e) => e.type === 'threaded' || e.type === 'domain invalid');
  const root = existing.find((e) => e.path === reader.settings.cgroupRoot);
  return {
    withheld,
    threaded: threaded === undefined ? undefined : { path: threaded.path, type: threaded.type },
    inner: root?.pids ?? [],
  };
}

/** The innermost systemd unit in a path: slices only group, services and scopes can delegate. */
function unitOf(paths: readonly string[]): string | undefined {
  const names = paths.map((p) => p.slice(p.lastIndexOf('/') + 1));
  return names.reverse().find((n) => /\.(service|scope)$/.test(n));
}

/** What to do about it: the drop-in for systemd, the write for everybody else. */
export function remedy(withheld: readonly Withheld[]): string {
  const [first] = withheld;
  const names = [...new Set(withheld.map((w) => w.controller))];
  if (first?.unit !== undefined) {
    return `delegate it: /etc/systemd/system/${first.unit}.d/delegate.conf with '[Service]' (a scope: '[Scope]') and 'Delegate=${names.join(' ')}', then systemctl daemon-reload and restart ${first.unit}`;
  }
  return `whoever owns ${first?.ancestor ?? ''} can write '${names.map((n) => `+${n}`).join(' ')}' to its cgroup.subtree_control`;
}

/** The errors of a stack that needs controllers which are withheld, or whose root is threaded. */
export function delegationErrors(
  reader: Pick<KernelReader, 'layout' | 'settings' | 'readFiles'>,
  needed: readonly string[],
): TsboxError[] {
  const { withheld, threaded } = delegation(reader, needed);
  const errors = withheld.map(
    (w) =>
      new TsboxError(
        'TSB1009',
        `the '${w.controller}' controller does not reach ${reader.settings.cgroupRoot}: ${w.ancestor} does not hand it on (cgroup.subtree_control)`,
        { hint: remedy([w]) },
      ),
  );
  if (threaded !== undefined) {
    errors.push(
      new TsboxError(
        'TSB1009',
        `${threaded.path} is a threaded cgroup (cgroup.type: ${threaded.type}): below it there are no processes of their own and no memory or io limits`,
        { hint: 'use another root: TSBOX_CGROUP_ROOT' },
      ),
    );
  }
  return errors;
}
