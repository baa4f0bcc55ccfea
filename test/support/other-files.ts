/** The interface files of cgroups that are no attribute, and what becomes of each. */
export interface OtherFile {
  readonly file: string;
  readonly version: 'v2' | 'v1';
  readonly how: string;
}

const v2 = (how: string, ...files: string[]): OtherFile[] => files.map((file) => ({ file, version: 'v2', how }));
const v1 = (how: string, ...files: string[]): OtherFile[] => files.map((file) => ({ file, version: 'v1', how }));

const STATS = 'shown by `tsbox stats` and `tsbox top`';
const EVENTS = 'shown by `tsbox events`';
const BOTH = 'shown by `tsbox events`, `tsbox stats`';
const DETAIL = 'left alone: a breakdown for a close look, with nothing to set';

/** cgroup-v2.rst and cgroup-v1/*.rst, in their order. */
export const OTHER_FILES: readonly OtherFile[] = [
  ...v2(
    'left alone: a domain is what containers need; a threaded root is refused, `tsbox doctor` tells of it',
    'cgroup.type',
  ),
  ...v2(
    "members: compared at every plan (processes that are not the container's own are shown and moved out), entered by `apply`",
    'cgroup.procs',
  ),
  ...v2('left alone: threads follow their process', 'cgroup.threads'),
  ...v2('read: a controller that is not offered is an error that names the ancestor', 'cgroup.controllers'),
  ...v2('written by `apply` from the top down as far as limits need it, and read back', 'cgroup.subtree_control'),
  ...v2(BOTH, 'cgroup.events'),
  ...v2('`nr_descendants` in `tsbox stats --json`', 'cgroup.stat'),
  ...v2('left alone: how often a cgroup was frozen', 'cgroup.stat.local'),
  ...v2('written by `tsbox kill`, and by `apply` and `destroy` after the grace period', 'cgroup.kill'),
  ...v2('left alone: time lost to interrupts', 'irq.pressure'),
  ...v2(STATS, 'cpu.stat', 'cpu.pressure'),
  ...v2(DETAIL, 'cpu.stat.local'),
  ...v2(STATS, 'memory.current', 'memory.peak', 'memory.swap.current', 'memory.pressure'),
  ...v2(BOTH, 'memory.events'),
  ...v2(EVENTS, 'memory.events.local', 'memory.swap.events'),
  ...v2(
    'left alone: lowering memory.high or memory.max makes the kernel reclaim, and the plan tells what is in use',
    'memory.reclaim',
  ),
  ...v2(DETAIL, 'memory.stat', 'memory.numa_stat', 'memory.swap.peak', 'memory.zswap.current'),
  ...v2(STATS, 'io.stat', 'io.pressure'),
  ...v2('left alone: settings of the whole machine, in the root only, not of a stack', 'io.cost.qos', 'io.cost.model'),
  ...v2(STATS, 'pids.current'),
  ...v2(EVENTS, 'pids.events', 'pids.events.local'),
  ...v2(DETAIL, 'pids.peak'),
  ...v2(
    '`tsbox show` computes the processors and nodes in effect with the ancestor that sets them',
    'cpuset.cpus.effective',
    'cpuset.mems.effective',
    'cpuset.cpus.exclusive.effective',
  ),
  ...v2('left alone: of the root, the sum of isolated partitions', 'cpuset.cpus.isolated'),
  ...v2(EVENTS, 'hugetlb.SIZE.events', 'hugetlb.SIZE.events.local'),
  ...v2(DETAIL, 'hugetlb.SIZE.current', 'hugetlb.SIZE.rsvd.current', 'hugetlb.SIZE.numa_stat'),
  ...v2(DETAIL, 'rdma.current', 'rdma.peak', 'rdma.events', 'rdma.events.local'),
  ...v2(DETAIL, 'misc.current', 'misc.peak', 'misc.events', 'misc.events.local'),
  ...v2('read: a resource that it does not name is refused by the kernel, which the error says', 'misc.capacity'),
  ...v2(DETAIL, 'dmem.current', 'dmem.capacity'),
  ...v2(
    'no files: a container is a member of the perf_event cgroup by its path, which perf takes (`perf stat -G`)',
    'perf_event',
  ),
  ...v2('no files: a BPF program, the attribute `devices`; `tsbox show --devices` explains any', 'devices'),
  ...v1('as cgroup.procs of v2, in every hierarchy', 'cgroup.procs', 'tasks'),
  ...v1(
    'left alone: off by default, and nothing asks for them',
    'cgroup.clone_children',
    'notify_on_release',
    'release_agent',
  ),
  ...v1('written by `tsbox events` to be told of memory', 'cgroup.event_control'),
  ...v1(STATS, 'cpuacct.usage', 'cpuacct.stat', 'cpu.stat'),
  ...v1(DETAIL, 'cpuacct.usage_all', 'cpuacct.usage_percpu', 'cpuacct.usage_sys', 'cpuacct.usage_user'),
  ...v1(
    'left alone: real-time bandwidth; CONFIG_RT_GROUP_SCHED is rare and v2 has none',
    'cpu.rt_runtime_us',
    'cpu.rt_period_us',
  ),
  ...v1(STATS, 'memory.usage_in_bytes', 'memory.max_usage_in_bytes', 'memory.memsw.usage_in_bytes'),
  ...v1(
    DETAIL,
    'memory.stat',
    'memory.numa_stat',
    'memory.failcnt',
    'memory.memsw.failcnt',
    'memory.memsw.max_usage_in_bytes',
    'memory.pressure_level',
  ),
  ...v1(
    'left alone: taken away or without effect in newer kernels',
    'memory.kmem.limit_in_bytes',
    'memory.kmem.tcp.limit_in_bytes',
    'memory.move_charge_at_immigrate',
    'memory.use_hierarchy',
    'memory.force_empty',
  ),
  ...v1(STATS, 'blkio.throttle.io_service_bytes_recursive', 'blkio.throttle.io_serviced_recursive'),
  ...v1(DETAIL, 'blkio.throttle.io_service_bytes', 'blkio.throttle.io_serviced', 'blkio.bfq.*', 'blkio.reset_stats'),
  ...v1(STATS, 'pids.current'),
  ...v1(EVENTS, 'pids.events', 'memory.oom_control', 'freezer.state'),
  ...v1("read: whether the order to freeze is the cgroup's own", 'freezer.self_freezing', 'freezer.parent_freezing'),
  ...v1(
    'the attribute `devices`, changed within what old and new rules agree on',
    'devices.allow',
    'devices.deny',
    'devices.list',
  ),
  ...v1(DETAIL, 'hugetlb.SIZE.usage_in_bytes', 'hugetlb.SIZE.max_usage_in_bytes', 'hugetlb.SIZE.failcnt'),
  ...v1('the attributes `network_tag.mark` and `network_tag.priority`', 'net_cls.classid', 'net_prio.ifpriomap'),
  ...v1('left alone: the index of the cgroup, for reading only', 'net_prio.prioidx'),
];
