/**
 * The label on the object: what makes a cgroup directory (or a pinned namespace) ours, and what was last applied to it.
 *
 * Kept in trusted.* xattrs (xattr(7)): only CAP_SYS_ADMIN in the initial user namespace sees them, and they die with
 * the object. A label names its own inode, so a copied one is void.
 */
import type { Value } from './attribute.ts';
import type { LifecycleRecord } from './lifecycle.ts';

export const LABEL_XATTR = 'trusted.tsbox.label';
export const RUN_XATTR = 'trusted.tsbox.run';
export const POLICY_XATTR = 'trusted.tsbox.policy';
/** Settings of health checks, the last result, and the last ends of a container. */
export const HEALTH_XATTR = 'trusted.tsbox.health';
export const PROBE_XATTR = 'trusted.tsbox.probe';
export const HISTORY_XATTR = 'trusted.tsbox.history';
/** What a container's process is given from outside at each start: settingsText in container/process/settings.ts. */
export const SETTINGS_XATTR = 'trusted.tsbox.settings';
/** The filter of a container with a profile of its own: keptFilter in container/seccomp/use.ts. */
export const SECCOMP_XATTR = 'trusted.tsbox.seccomp';
/** On the stack's directory, one per pinned namespace: NAMESPACE_XATTR + name. */
export const NAMESPACE_XATTR = 'trusted.tsbox.ns.';
/** On our root directory: v2 controllers that we switched on in the mount's root, to be switched off with the last stack. */
export const ENABLED_XATTR = 'trusted.tsbox.enabled';

/** On the stack's ADOPTED directory: paths of the cgroups it took over, one per line. */
export const ADOPTED_XATTR = 'trusted.tsbox.adopted';

/** On the stack's directory: ids from the pool, a line 'ADDRESS UID GID COUNT' each; kept over replacement. */
export const IDS_XATTR = 'trusted.tsbox.ids';

/** On the stack's directory: the addresses of the last completed apply, so that what vanished is told from what is new. */
export const STACK_XATTR = 'trusted.tsbox.stack';

/** Raised when a label's meaning changes; a newer label is not touched. */
export const LABEL_VERSION = 1;

export interface Label extends LifecycleRecord {
  readonly v: number;
  readonly stack: string;
  /** The installation of tsbox that made it (installationOf in kernel/installation.ts). */
  readonly installation?: string;
  readonly address: string;
  /** Inode of the directory (or of the namespace) that the label stands on. */
  readonly ino: number;
  /** When that was, ms since the epoch. */
  readonly at?: number;
  /** Last applied values by attribute; null while the object is being made. */
  readonly applied: Readonly<Record<string, Value>> | null;
  /** Containers: inode of each of its namespaces when it was started, by type. */
  readonly namespaces?: Readonly<Record<string, string>>;
  /** Containers: start time of each process that a `pid:` use named, by type, so that another with its number is told. */
  readonly joined?: Readonly<Record<string, string>>;
  /** Containers: the process whose namespaces those are; its supervisor may have started others since. */
  readonly process?: {
    readonly pid: number;
    readonly startTime: string;
    /** Which exec it was (imageOf in container/process/identity.ts), and how many filters it was under then. */
    readonly image?: string;
    readonly filters?: number;
  };
  /** Containers: limits that its process has where none are declared, those its supervisor was started with. */
  readonly inherited?: Readonly<Record<string, string>>;
  /** Containers: network devices in its own namespace when it was started. */
  readonly netdevs?: readonly string[];
  /** Containers: mount table when it was started. */
  readonly mounts?: readonly string[];
  /** Containers: addresses whose namespaces or order it rests on, so that destroy knows the order without the file. */
  readonly needs?: readonly string[];
  /** Containers: how it stops when its supervisor is gone: signal number and grace, ms. */
  readonly stop?: { readonly signal: number; readonly graceMs: number };
  /** Containers: when a person stopped it, ms since the epoch; the next start takes it away. */
  readonly stopped?: number | undefined;
  /** Adopted cgroups: the values found when they were taken over, to be given back. */
  readonly adopted?: { readonly before: Readonly<Record<string, Value>> };
  /** Namespaces: type, kernel id (NS_GET_ID) where there is one, and the keeper of a pid namespace. */
  readonly namespace?: {
    readonly type: string;
    readonly id: string;
    readonly keeper: { readonly pid: number; readonly startTime: string } | null;
  };
}

export function encodeLabel(label: Label): string {
  return JSON.stringify(label);
}

/** Parses a label; undefined for anything that is not one. */
export function decodeLabel(text: string): Label | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) {
    return undefined;
  }
  const label = value as Partial<Label>;
  const sound =
    typeof label.v === 'number' &&
    typeof label.stack === 'string' &&
    typeof label.address === 'string' &&
    typeof label.ino === 'number' &&
    (label.installation === undefined || typeof label.installation === 'string') &&
    (label.ignore === undefined || Array.isArray(label.ignore)) &&
    (label.applied === null || typeof label.applied === 'object');
  return sound ? (label as Label) : undefined;
}
