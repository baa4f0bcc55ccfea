/** pid namespaces (pid_namespaces(7)). */
import { NO_SETTINGS_ROW, type NamespaceRow } from '../row.ts';

export const pid: NamespaceRow = {
  ...NO_SETTINGS_ROW,
  type: 'pid',
  reason: 'a process cannot leave its pid namespace',
  doc: 'its own process numbers; its first process is 1',
  source: 'pid_namespaces(7)',
};
