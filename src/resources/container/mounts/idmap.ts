/** Idmapped binds and volumes: whose ids their files show. mount_setattr(2), "ID-mapped mounts". */
import * as z from 'zod';
import type { Idmap } from '../../../kernel/init-spec.ts';
import { idRangesSchema, mapText, type IdMap } from '../../namespace/id-maps.ts';

/** Of the container's user namespace, or its own: `inside` is the id on disk, `outside` the host's id it is shown as. */
export type MountIds = 'container' | { readonly uids: readonly IdMap[]; readonly gids: readonly IdMap[] };

const ownMaps = z.strictObject({ uids: idRangesSchema, gids: idRangesSchema.optional() });

export const idmapShape = { idmap: z.union([z.boolean(), ownMaps]).optional() };
type IdmapInput = z.output<typeof idmapShape.idmap>;

/** Groups are mapped as users are where the stack names only these; null leaves the ids as they are. */
export function mountIds(input: IdmapInput): MountIds | null {
  if (input === undefined || typeof input === 'boolean') {
    return input === true ? 'container' : null;
  }
  return { uids: input.uids, gids: input.gids ?? input.uids };
}

/** The word in the attribute's text, without spaces and commas: idmap, or idmap=0:1000:1/0:1000:1. */
export function idmapWord(ids: MountIds): string {
  const text = (maps: readonly IdMap[]): string => mapText(maps).replaceAll(' ', ':').replaceAll('\n', '+');
  return ids === 'container' ? 'idmap' : `idmap=${text(ids.uids)}/${text(ids.gids)}`;
}

/** The word for a live mount: mountinfo shows that it is idmapped and not how, which is taken from what was applied. */
export function liveIdmap(options: readonly string[], expected: readonly string[]): string[] {
  return options.includes('idmapped') ? [expected.find((w) => /^idmap(=|$)/.test(w)) ?? 'idmapped'] : [];
}

/** For the operation: a recursive bind takes what is mounted below along. */
export function idmapField(ids: MountIds | null, recursive: boolean): { readonly idmap?: Idmap } {
  if (ids === null) {
    return {};
  }
  const maps = ids === 'container' ? ids : { uidMap: mapText(ids.uids), gidMap: mapText(ids.gids) };
  return { idmap: { maps, recursive } };
}
