/** net namespaces (network_namespaces(7)). */
import { NO_SETTINGS_ROW, type NamespaceRow } from '../row.ts';

export const net: NamespaceRow = {
  ...NO_SETTINGS_ROW,
  type: 'net',
  reason: 'sockets stay in the network namespace they were made in',
  doc: 'its own interfaces, routes, ports and firewall',
  source: 'network_namespaces(7)',
};
