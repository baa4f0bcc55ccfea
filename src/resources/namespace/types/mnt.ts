/** mnt namespaces (mount_namespaces(7)). */
import { NO_SETTINGS_ROW, type NamespaceRow } from '../row.ts';

export const mnt: NamespaceRow = {
  ...NO_SETTINGS_ROW,
  type: 'mnt',
  reason: 'its root is put together before the process starts',
  doc: 'its own view of the mounts',
  source: 'mount_namespaces(7)',
};
