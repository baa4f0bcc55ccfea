/** What happened between two looks at event files, and which files tell it on each layout. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { cgroupLayout } from '../../src/kernel/layout.ts';
import { eventsBetween, eventSources } from '../../src/resources/cgroup/events.ts';

const V2 = '30 1 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw';
const HYBRID = [
  '30 1 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw',
  '31 1 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
  '32 1 0:29 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids',
  '33 1 0:30 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer',
].join('\n');
const files = (mountinfo: string, controllers: string): string[] =>
  eventSources(cgroupLayout(mountinfo, () => controllers)).map((s) => `${s.notice} ${s.mount}/${s.files.join('|')}`);

test('each layout has its own sources', () => {
  assert.equal(files(V2, 'memory pids').slice(0, 4), [
    'inotify /sys/fs/cgroup/cgroup.events',
    'inotify /sys/fs/cgroup/memory.events.local|memory.events',
    'inotify /sys/fs/cgroup/memory.swap.events',
    'inotify /sys/fs/cgroup/pids.events.local|pids.events',
  ]);
  assert.equal(files(HYBRID, ''), [
    'inotify /sys/fs/cgroup/unified/cgroup.events',
    'eventfd /sys/fs/cgroup/memory/memory.oom_control',
    'look /sys/fs/cgroup/pids/pids.events',
    'look /sys/fs/cgroup/freezer/freezer.state',
  ]);
  const v1 = files(HYBRID.split('\n').slice(1).join('\n'), '');
  assert.is(v1.at(-1), 'look /sys/fs/cgroup/freezer/cgroup.procs');
});

test('files are read as the kernel writes them', () => {
  const [events, memory] = eventSources(cgroupLayout(V2, () => 'memory'));
  assert.equal(events?.parse('populated 1\nfrozen 0\n'), { populated: 1, frozen: 0 });
  assert.equal(memory?.parse('low 0\nhigh 2\nmax 3\noom 1\noom_kill 1\noom_group_kill 0\n'), {
    'memory.low': 0,
    'memory.high': 2,
    'memory.max': 3,
    'memory.oom': 1,
    'memory.oom_kill': 1,
    'memory.oom_group_kill': 0,
  });
  const [, oom, , freezer] = eventSources(cgroupLayout(HYBRID, () => ''));
  assert.equal(oom?.parse('oom_kill_disable 0\nunder_oom 0\noom_kill 4\n'), {
    'memory.under_oom': 0,
    'memory.oom_kill': 4,
  });
  assert.equal(freezer?.parse('FREEZING\n'), { 'v1.frozen': 0 });
  assert.equal(freezer?.parse('FROZEN\n'), { 'v1.frozen': 1 });
});

test('what happened in between, causes first', () => {
  assert.equal(eventsBetween({ populated: 1, frozen: 0 }, { populated: 0, frozen: 0 }), [
    { event: 'emptied', count: 1 },
  ]);
  assert.equal(eventsBetween({}, { populated: 1, frozen: 0 }), [{ event: 'populated', count: 1 }]);
  assert.equal(eventsBetween({ frozen: 1, populated: 1 }, { frozen: 0, populated: 1 }), [
    { event: 'thawed', count: 1 },
  ]);
  assert.equal(
    eventsBetween(
      { 'memory.oom_kill': 0, 'memory.oom': 0, 'memory.max': 5 },
      { 'memory.oom_kill': 1, 'memory.oom': 1, 'memory.max': 9 },
    ),
    [
      { event: 'limit', limit: 'memory.max', count: 4 },
      { event: 'oom', count: 1 },
      { event: 'oom_kill', count: 1 },
    ],
  );
  assert.equal(eventsBetween({ 'pids.max': 1 }, { 'pids.max': 1 }), []);
  assert.equal(eventsBetween({ 'memory.sock_throttled': 1 }, { 'memory.sock_throttled': 3 }), []);
});

test.run();
