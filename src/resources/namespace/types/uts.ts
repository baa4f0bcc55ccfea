/** uts namespaces (uts_namespaces(7)): the host and domain name, both changeable while processes run in them. */
import type { Attribute, Value } from '../../attribute.ts';
import type { NamespaceRow } from '../row.ts';

const name = (attribute: string, doc: string, source: string): Attribute => ({
  name: attribute,
  change: 'in-place',
  observed: 'live',
  doc,
  source,
});

export const uts: NamespaceRow = {
  type: 'uts',
  reason: 'a running process is not moved to another uts namespace',
  settings: [
    name('hostname', 'host name seen inside', 'sethostname(2)'),
    name('domainname', 'NIS domain name seen inside', 'setdomainname(2)'),
  ],
  desired: (settings, fallbackHostname) => {
    const values: Record<string, Value> = {};
    const hostname = settings.hostname ?? fallbackHostname;
    if (hostname !== null) {
      values['hostname'] = hostname;
    }
    if (settings.domainname !== null) {
      values['domainname'] = settings.domainname;
    }
    return values;
  },
  procFiles: [],
  live: (_, names) => ({ hostname: names?.hostname, domainname: names?.domainname }),
  doc: 'its own host and domain name',
  source: 'uts_namespaces(7)',
};
