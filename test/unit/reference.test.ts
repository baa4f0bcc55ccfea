/** docs/reference.md is what the tables say, and names every file. UPDATE=1 rewrites it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { KNOBS } from '../../src/resources/cgroup/registry.ts';
import { OTHER_FILES } from '../support/other-files.ts';
import { fileNames, readTried, referenceText } from '../support/reference.ts';
import { repository } from '../support/sandbox.ts';

const path = join(repository(), 'docs', 'reference.md');

test('the document is what the tables say', () => {
  const text = referenceText();
  if (process.env['UPDATE'] === '1') {
    writeFileSync(path, text);
  }
  assert.fixture(readFileSync(path, 'utf8'), text);
});

test('every file of every setting is named, and none twice as set and as left alone', () => {
  const text = readFileSync(path, 'utf8');
  for (const knob of KNOBS) {
    const files = [knob.v2, knob.v2Else, knob.v1, knob.v1Else].flatMap(fileNames);
    assert.ok(files.length > 0, knob.name);
    files.forEach((file) => assert.ok(text.includes(`\`${file}\``), `${knob.name}: ${file}`));
  }
  const set = new Set(KNOBS.flatMap((k) => [...fileNames(k.v2), ...fileNames(k.v2Else)]));
  assert.equal(
    OTHER_FILES.filter((f) => f.version === 'v2' && set.has(f.file)).map((f) => f.file),
    [],
  );
});

/** The files of Documentation/admin-guide/cgroup-v2.rst, "Core Interface Files" and "Controllers", of Linux 6.18. */
const KERNEL_FILES = `
  cgroup.type cgroup.procs cgroup.threads cgroup.controllers cgroup.subtree_control cgroup.events cgroup.max.descendants
  cgroup.max.depth cgroup.stat cgroup.stat.local cgroup.freeze cgroup.kill cgroup.pressure irq.pressure
  cpu.stat cpu.weight cpu.weight.nice cpu.max cpu.max.burst cpu.pressure cpu.uclamp.min cpu.uclamp.max cpu.idle
  memory.current memory.min memory.low memory.high memory.max memory.reclaim memory.peak memory.oom.group memory.events
  memory.events.local memory.stat memory.numa_stat memory.swap.current memory.swap.high memory.swap.peak memory.swap.max
  memory.swap.events memory.zswap.current memory.zswap.max memory.zswap.writeback memory.pressure
  io.stat io.cost.qos io.cost.model io.weight io.max io.pressure io.latency io.prio.class
  pids.max pids.current pids.peak pids.events pids.events.local
  cpuset.cpus cpuset.cpus.effective cpuset.mems cpuset.mems.effective cpuset.cpus.exclusive
  cpuset.cpus.exclusive.effective cpuset.cpus.isolated cpuset.cpus.partition
  rdma.max rdma.current dmem.max dmem.min dmem.low dmem.capacity dmem.current
  hugetlb.SIZE.current hugetlb.SIZE.max hugetlb.SIZE.events hugetlb.SIZE.events.local hugetlb.SIZE.numa_stat
  hugetlb.SIZE.rsvd.max misc.capacity misc.current misc.peak misc.max misc.events misc.events.local
`
  .trim()
  .split(/\s+/);

test("every file of the kernel's own list has its line", () => {
  const text = readFileSync(path, 'utf8');
  assert.equal(
    KERNEL_FILES.filter((file) => !text.includes(`\`${file}\``)),
    [],
  );
});

test('what was tried is known, on every layout', () => {
  const tried = readTried();
  assert.equal(Object.keys(tried).sort(), ['hybrid', 'unified', 'v1', 'v1 view']);
  const names = new Set(KNOBS.map((k) => k.name));
  for (const { knobs } of Object.values(tried)) {
    assert.ok(knobs.length > 15 && knobs.every((k) => names.has(k)));
  }
});

test.run();
