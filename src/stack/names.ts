/** Names that cannot be given, and why. */
import { USE_WORDS } from '../resources/namespace/use.ts';
import { NAME_EXPECTED, NAME_PATTERN } from '../resources/units.ts';

/**
 * Files that the kernel keeps in a cgroup's directory on v1 or v2: a child of that name could not be made, or not be
 * told from them. Every controller's files begin with its name and a dot.
 */
const CONTROLLERS =
  'cgroup cpu cpuacct cpuset memory io blkio pids devices freezer hugetlb rdma misc dmem irq net_cls net_prio perf_event';
const KERNEL_FILES = new RegExp(`^((${CONTROLLERS.replaceAll(' ', '|')})\\..*|tasks|notify_on_release|release_agent)$`);

export interface NameProblem {
  readonly message: string;
  readonly expected: string;
}

/** What is wrong with the name of an item; undefined for a good one. */
export function nameProblem(
  kind:
    | 'stack'
    | 'cgroup'
    | 'namespace'
    | 'container'
    | 'device set'
    | 'volume'
    | 'secret'
    | 'config'
    | 'output'
    | 'module'
    | 'check'
    | 'policy',
  name: string,
): NameProblem | undefined {
  if (!NAME_PATTERN.test(name)) {
    return { message: `'${name}' cannot name a ${kind}`, expected: NAME_EXPECTED };
  }
  const isDirectory = kind === 'stack' || kind === 'cgroup' || kind === 'container';
  if (isDirectory && KERNEL_FILES.test(name)) {
    return {
      message: `'${name}' cannot name a ${kind}: the kernel has files of that name in every cgroup`,
      expected: 'a name other than tasks and those beginning with a controller and a dot',
    };
  }
  if (kind === 'namespace' && USE_WORDS.includes(name)) {
    return {
      message: `'${name}' cannot name a namespace: where one is used the word means something else`,
      expected: `a name other than ${USE_WORDS.join(', ')}`,
    };
  }
  return undefined;
}
