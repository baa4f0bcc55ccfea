/** The namespace types tsbox knows. A new one is a file in types/ and a line here. */
import type { NamespaceType } from '../../kernel/init-spec.ts';
import type { NamespaceRow } from './row.ts';
import { cgroup } from './types/cgroup.ts';
import { ipc } from './types/ipc.ts';
import { mnt } from './types/mnt.ts';
import { net } from './types/net.ts';
import { pid } from './types/pid.ts';
import { time } from './types/time.ts';
import { user } from './types/user.ts';
import { uts } from './types/uts.ts';

/** In the order in which the kernel wants them made: user first, so that it owns the others. */
export const NAMESPACE_ROWS: readonly NamespaceRow[] = [user, mnt, pid, net, ipc, uts, cgroup, time];

export const NAMESPACE_ROW: Readonly<Record<NamespaceType, NamespaceRow>> = Object.fromEntries(
  NAMESPACE_ROWS.map((r) => [r.type, r]),
) as Record<NamespaceType, NamespaceRow>;
