/** A namespace use as the plan writes it. */
import type { NamespaceUse } from '../namespace/schema.ts';

export function useText(use: NamespaceUse): string {
  switch (use.kind) {
    case 'new':
    case 'host':
      return use.kind;
    case 'declared':
      return `namespace/${use.name}`;
    case 'container':
      return use.stack === null ? `container/${use.name}` : `container/${use.stack}:${use.name}`;
    case 'pid':
      return `pid:${use.pid}`;
    case 'path':
      return `path:${use.path}`;
  }
}
