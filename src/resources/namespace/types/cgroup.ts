/** cgroup namespaces (cgroup_namespaces(7)). */
import { NO_SETTINGS_ROW, type NamespaceRow } from '../row.ts';

export const cgroup: NamespaceRow = {
  ...NO_SETTINGS_ROW,
  type: 'cgroup',
  reason: 'its view of the cgroup tree is rooted where the process started',
  doc: 'its own root of the cgroup tree',
  source: 'cgroup_namespaces(7)',
};
