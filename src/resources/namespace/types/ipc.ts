/** ipc namespaces (ipc_namespaces(7)). */
import { NO_SETTINGS_ROW, type NamespaceRow } from '../row.ts';

export const ipc: NamespaceRow = {
  ...NO_SETTINGS_ROW,
  type: 'ipc',
  reason: 'shared memory that is attached stays in its ipc namespace',
  doc: 'its own System V IPC objects and POSIX message queues',
  source: 'ipc_namespaces(7)',
};
