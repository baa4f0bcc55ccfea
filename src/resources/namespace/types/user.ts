/** user namespaces (user_namespaces(7)): ids inside mapped to ids outside, written once when it is made. */
import { normaliseIdMap } from '../../../kernel/proc.ts';
import type { Attribute } from '../../attribute.ts';
import type { NamespaceRow } from '../row.ts';
import { mapText } from '../id-maps.ts';

const fixed = (attribute: string, doc: string): Attribute => ({
  name: attribute,
  change: 'replace',
  reason: 'the kernel takes the maps of a user namespace once',
  observed: 'live',
  doc,
  source: 'user_namespaces(7)',
});

export const user: NamespaceRow = {
  type: 'user',
  reason: 'capabilities belong to the user namespace a process started in',
  settings: [
    fixed('uid_map', "user ids: 'inside outside count' lines"),
    fixed('gid_map', "group ids: 'inside outside count' lines"),
    fixed('setgroups', 'whether setgroups(2) may be called inside'),
  ],
  desired: (settings) => ({
    uid_map: mapText(settings.uids),
    gid_map: mapText(settings.gids),
    setgroups: settings.setgroups,
  }),
  procFiles: ['uid_map', 'gid_map', 'setgroups'],
  live: ([uids, gids, setgroups]) => ({
    uid_map: uids === undefined ? undefined : normaliseIdMap(uids),
    gid_map: gids === undefined ? undefined : normaliseIdMap(gids),
    setgroups: setgroups?.trim(),
  }),
  doc: 'its own user and group ids, and capabilities that reach no further',
  source: 'user_namespaces(7)',
};
