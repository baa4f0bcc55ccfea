/** The pool of subordinate ids: a setting, or the entries of 'containers' in /etc/subuid and /etc/subgid (subuid(5)). */
import type { KernelReader } from '../../kernel/reader.ts';
import type { IdRange } from './ranges.ts';

/** The name that podman and others reserve ids for containers under. */
const OWNER = 'containers';

export interface IdPool {
  readonly uids: readonly IdRange[];
  readonly gids: readonly IdRange[];
}

/** The pool; undefined when nobody has set ids aside, of either kind. */
export function readPool(reader: KernelReader): IdPool | undefined {
  const { subIds } = reader.settings;
  if (subIds !== null) {
    return { uids: subIds, gids: subIds };
  }
  const [uids, gids] = reader.readFiles(['/etc/subuid', '/etc/subgid']).map((text) => entriesOf(text));
  return uids === undefined || gids === undefined || uids.length === 0 || gids.length === 0
    ? undefined
    : { uids, gids };
}

/** 'containers:START:COUNT' lines. */
function entriesOf(text: string | number): IdRange[] {
  return typeof text !== 'string'
    ? []
    : text.split('\n').flatMap((line) => {
        const match = new RegExp(`^${OWNER}:(\\d{1,10}):(\\d{1,10})$`).exec(line.trim());
        return match === null ? [] : [{ start: Number(match[1]), count: Number(match[2]) }];
      });
}
