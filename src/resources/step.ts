/** The closed union of things an apply can do. Each is idempotent: done, not done or half done is decided by reading. */
import type { NamespaceType, RestartPolicy, StartSysctl } from '../kernel/init-spec.ts';
import type { Value } from './attribute.ts';
import type { Settings } from './container/process/settings.ts';
import type { FileWrite } from './cgroup/knob.ts';
import type { MountEdit } from './container/mounts/edits.ts';
import type { DeviceRule } from './devices/schema.ts';
import type { Label } from './label.ts';
import type { LifecycleRecord } from './lifecycle.ts';
import type { Hook } from './network/programs.ts';
import type { NetworkValues } from './network/schema.ts';

/** A write, and the attribute it is for. */
export interface KnobWrite extends FileWrite {
  readonly attribute: string;
}

/** A label before the inode is known. */
export type LabelDraft = Omit<Label, 'v' | 'ino' | 'stack' | 'installation'>;

export type Step =
  /** Make the directory in every hierarchy, enable controllers above it on v2, label it. */
  | {
      readonly op: 'cgroup-make';
      readonly path: string;
      readonly label: LabelDraft;
      readonly controllers: readonly string[];
    }
  /**
   * Write knob files of one cgroup in one controller's hierarchy ('' for core files). What the kernel refuses while
   * another value stands (burst above quota, memory above memory+swap) is tried again after the others.
   */
  | {
      readonly op: 'cgroup-write';
      readonly path: string;
      readonly controller: string;
      readonly writes: readonly KnobWrite[];
    }
  | { readonly op: 'freeze'; readonly path: string; readonly frozen: boolean }
  /** Replace the device filter without an unfiltered moment. */
  | {
      readonly op: 'devices';
      readonly path: string;
      readonly rules: readonly DeviceRule[];
      readonly canonical: readonly string[];
    }
  /** Take the filter off. */
  | { readonly op: 'devices-clear'; readonly path: string }
  /**
   * Put network tag and bandwidth in force. On v2 what is not named is taken off; on v1, where a child is born with what
   * its parent has, it stays as it is.
   */
  | { readonly op: 'network'; readonly path: string; readonly values: NetworkValues }
  /** Take a program that is not ours off a hook of ours. */
  | { readonly op: 'network-detach'; readonly path: string; readonly hook: Hook; readonly id: number }
  /** Take over a cgroup that exists: label it, and remember where it is. */
  | { readonly op: 'cgroup-adopt'; readonly path: string; readonly label: LabelDraft }
  /** Give an adopted cgroup back: its label goes, it stays. */
  | { readonly op: 'cgroup-release'; readonly path: string }
  /** Take back what managers have claimed (resources/claims.ts). */
  | { readonly op: 'claims-drop'; readonly path: string; readonly fields: readonly string[] }
  /** Record what was applied. */
  | { readonly op: 'label'; readonly path: string; readonly label: LabelDraft }
  /** Kill what is inside and remove the directory everywhere. */
  | { readonly op: 'cgroup-remove'; readonly path: string; readonly kill: boolean }
  /** Move processes that are not ours out to the hierarchy's root. */
  | { readonly op: 'evict'; readonly path: string; readonly pids: readonly number[] }
  /** Move a container's process back into its cgroup; 0 where it has none. */
  | { readonly op: 'enter'; readonly path: string; readonly pid: number }
  | {
      readonly op: 'namespace-make';
      readonly name: string;
      readonly type: NamespaceType;
      readonly applied: Readonly<Record<string, Value>>;
      readonly protect?: LifecycleRecord['protect'];
      readonly ignore?: LifecycleRecord['ignore'];
      readonly settings: NamespaceSettings;
    }
  /** Make an existing namespace the declared one. */
  | {
      readonly op: 'namespace-import';
      readonly name: string;
      readonly type: NamespaceType;
      readonly from: string;
      readonly applied: Readonly<Record<string, Value>>;
      readonly protect?: LifecycleRecord['protect'];
      readonly ignore?: LifecycleRecord['ignore'];
    }
  /** Give an object another address. `path`: the cgroup's, or the volume's directory, which becomes `target`. */
  | {
      readonly op: 'move';
      readonly from: string;
      readonly to: string;
      readonly path: string;
      readonly target: string;
    }
  /** Take the labels off. */
  | { readonly op: 'forget'; readonly address: string; readonly path: string }
  | { readonly op: 'namespace-repin'; readonly name: string; readonly type: NamespaceType; readonly from: string }
  | { readonly op: 'namespace-remove'; readonly name: string }
  | {
      readonly op: 'namespace-label';
      readonly name: string;
      readonly applied: Readonly<Record<string, Value>>;
      readonly protect?: LifecycleRecord['protect'];
      readonly ignore?: LifecycleRecord['ignore'];
    }
  /** Set host and domain name in a live uts namespace. */
  | {
      readonly op: 'uts';
      readonly target: LiveTarget;
      readonly hostname: string | null;
      readonly domainname: string | null;
    }
  /** Write kernel parameters in live namespaces; those to be reset get what a new namespace has. */
  | {
      readonly op: 'sysctls';
      readonly target: LiveTarget;
      readonly values: Readonly<Record<string, string>>;
      readonly reset: readonly string[];
    }
  /**
   * Fetch and unpack the images of a container. By target, '/' for its root, the digest that the plan saw; null when it
   * saw nothing.
   */
  | {
      readonly op: 'image';
      readonly container: string;
      readonly digests: Readonly<Record<string, string | null>>;
    }
  /** Start a container's supervisor and process. */
  | { readonly op: 'start'; readonly container: string }
  /** Put a supervisor back on a running container. */
  | { readonly op: 'adopt'; readonly container: string }
  /** Edit the mounts of a running container, and record its table. */
  | {
      readonly op: 'mounts';
      readonly container: string;
      readonly path: string;
      readonly edits: readonly MountEdit[];
    }
  /** Make a volume's directory, with owner and mode where they are declared, and label it. */
  | {
      readonly op: 'volume-make';
      readonly name: string;
      readonly directory: string;
      readonly owned: boolean;
      readonly owner: string | null;
      readonly mode: number | null;
      readonly label: LabelDraft;
    }
  /** Remove a volume with everything in it. */
  | { readonly op: 'volume-remove'; readonly name: string; readonly directory: string }
  /** Ask a container to stop, with its grace, then kill it. */
  | { readonly op: 'stop'; readonly path: string }
  /** Set limits, scheduling and the like on a container's processes, and hand them to its supervisor for the next start. */
  | {
      readonly op: 'settings';
      readonly path: string;
      readonly settings: Settings;
      /** Those that are to be written to what runs. */
      readonly names: readonly string[];
    }
  /** Hand a new policy to the supervisor. */
  | { readonly op: 'policy'; readonly path: string; readonly policy: RestartPolicy }
  /** Wait until a container has run for a while, then for the pause before the next replica. */
  | { readonly op: 'await-ready'; readonly container: string; readonly settleMs: number; readonly delayMs: number }
  /** Hand settings of health checks (healthText) to the supervisor; null: none. */
  | { readonly op: 'health'; readonly path: string; readonly text: string | null }
  /** Hand a changed description to the running supervisor: what it starts next time. */
  | { readonly op: 'describe'; readonly container: string }
  /** Wait until a container's health checks have found it healthy; `unlessFor` starts without it, and it is noted. */
  | { readonly op: 'await-healthy'; readonly container: string; readonly unlessFor?: string }
  /** Wait until a container's process has ended with exit code 0. */
  | { readonly op: 'await-completed'; readonly container: string; readonly unlessFor?: string };

/** Whose namespaces: those of a container (by its leaf's path), or a declared one. */
export type LiveTarget =
  { readonly kind: 'container'; readonly path: string } | { readonly kind: 'namespace'; readonly name: string };

export interface NamespaceSettings {
  readonly uidMap: string;
  readonly gidMap: string;
  readonly setgroups: 'allow' | 'deny';
  readonly timeOffsets: string;
  readonly hostname: string;
  readonly domainname: string;
  readonly sysctls: readonly StartSysctl[];
}
