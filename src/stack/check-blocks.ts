/** `moved:`, `removed:` and `import:` against what is declared. */
import { containerOf } from '../resources/container/replica-names.ts';
import { exists, lineOf, reportAt } from './checking.ts';
import type { Checking } from './checking.ts';

const kindOf = (address: string): string => address.slice(0, address.indexOf('/'));

export function checkBlocks(checking: Checking): void {
  const { blocks, paths } = checking.items;
  const declared = (address: string): boolean => paths.has(address) || paths.has(containerOf(address));
  const tell = (block: string, index: number, key: string, message: string, expected?: string): void =>
    reportAt(checking, 'value', 'TSB1003', '', [block, index, key], message, expected);
  const isThere = (block: string, index: number, address: string): boolean => {
    const kind = kindOf(address);
    return (
      declared(address) || exists(checking, kind, address.slice(kind.length + 1), '', [block, index, 'to'], `${kind}s`)
    );
  };
  const targets = new Map<string, string>();
  const sources = new Set<string>();
  blocks.moved.forEach(({ from, to }, index) => {
    if (kindOf(from) !== kindOf(to)) {
      tell(
        'moved',
        index,
        'to',
        `a ${kindOf(from)} cannot become a ${kindOf(to)}`,
        `an address of kind ${kindOf(from)}`,
      );
    } else if (paths.has(from)) {
      const where = lineOf(checking, from, []);
      tell('moved', index, 'from', `${from} is still declared (${where})`, 'an address that the file no longer has');
    } else if (sources.has(from) || targets.has(to)) {
      const twice = sources.has(from) ? from : to;
      tell('moved', index, sources.has(from) ? 'from' : 'to', `${twice} is moved twice`, 'one move each');
    } else if (!blocks.moved.some((m) => m.from === to)) {
      isThere('moved', index, to);
    }
    sources.add(from);
    targets.set(to, from);
  });
  circles(checking, targets);
  blocks.removed.forEach(({ from }, index) => {
    if (paths.has(from)) {
      const where = lineOf(checking, from, []);
      tell('removed', index, 'from', `${from} is still declared (${where})`, 'an address that the file no longer has');
    }
  });
  blocks.import.forEach(({ to, id }, index) => {
    if (!isThere('import', index, to)) {
      return;
    }
    const kind = kindOf(to);
    if (kind === 'container') {
      const message =
        'a running process does not become a container: it has a parent that waits for it, and keeps the root, the streams and the privileges it was started with';
      tell('import', index, 'to', message, 'a cgroup or a namespace');
    } else if (kind === 'volume') {
      tell(
        'import',
        index,
        'to',
        'a directory is not imported',
        'volumes: { NAME: { path: DIR } } uses one that exists',
      );
    } else if (kind === 'cgroup' && (id.startsWith('pid:') || to.slice('cgroup/'.length).includes('/'))) {
      const message = id.startsWith('pid:') ? 'a cgroup is named by its path' : 'only a cgroup at the top is imported';
      tell('import', index, id.startsWith('pid:') ? 'id' : 'to', message, 'its path from the root of its hierarchy');
    }
  });
}

function circles(checking: Checking, targets: ReadonlyMap<string, string>): void {
  checking.items.blocks.moved.forEach(({ from, to }, index) => {
    const chain = [to];
    for (
      let at: string | undefined = from;
      at !== undefined && chain.length <= targets.size + 1;
      at = targets.get(at)
    ) {
      chain.push(at);
      if (at === to) {
        const message = `moves lead in a circle: ${chain.reverse().join(' -> ')}`;
        reportAt(checking, 'value', 'TSB1005', '', ['moved', index, 'from'], message);
        return;
      }
    }
  });
}
