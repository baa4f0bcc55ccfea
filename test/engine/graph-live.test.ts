/** The graph of what runs: from the kernel, with what others changed and put there. */
import { spawn } from 'node:child_process';
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Graph } from '../../src/report/graph/model.ts';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { pidsOf } from '../support/namespaces.ts';
import { nsInode, sandbox } from '../support/sandbox.ts';
import { until } from '../support/wait.ts';

const POD = `tsbox: 1
name: pod
cgroups: { team: { memory: { max: 256MiB }, pids: { max: 100 } } }
namespaces: { bus: { type: ipc } }
volumes: { data: {} }
containers:
  db: { command: [sleep, infinity], cgroup: team, namespaces: { ipc: bus }, mounts: [{ volume: data, target: /tmp }] }
  web:
    command: [sleep, infinity]
    namespaces: { net: container/db, ipc: bus, pid: host }
    mounts: [{ volume: data, target: /tmp, readonly: true }]
  late: { command: [sleep, infinity], depends_on: [web] }
`;

const OTHER = `tsbox: 1
name: other
containers: { guest: { command: [sleep, infinity], namespaces: { net: container/pod:db } } }
`;

test('limits, namespaces, states and strangers, without any file', async () => {
  const before = await snapshot();
  const box = await sandbox('graph-live');
  try {
    for (const [name, text] of Object.entries({ pod: POD, other: OTHER })) {
      const run = await box.tsbox('apply', '-f', box.write(`${name}.yaml`, text), '--auto-approve');
      assert.is(run.code, 0, run.stderr);
    }
    const graph = async (...args: string[]): Promise<Graph> => {
      const run = await box.tsbox('graph', '--live', '--format', 'json', ...args);
      assert.is(run.code, 0, run.stderr);
      return JSON.parse(run.stdout) as Graph;
    };
    const { db = 0 } = await pidsOf(box, 'pod');
    // What others do: a limit, a cgroup, a process in a namespace of ours, the end of a container.
    writeFileSync(`${box.cgroupDir('pids', 'pod/team')}/pids.max`, '77');
    const foreign = box.cgroupDir('unified', 'pod/team/foreign');
    mkdirSync(foreign);
    const stranger = spawn('nsenter', ['-t', String(db), '-n', 'sleep', '60'], { stdio: 'ignore' });
    const stopped = await box.tsbox('stop', 'late', '--stack', 'pod', '-t', '0');
    assert.is(stopped.code, 0, stopped.stderr);
    try {
      await until('the process in its namespace', () => nsInode(stranger.pid ?? 0, 'net') === nsInode(db, 'net'));
      const pod = await graph('--stack', 'pod');
      const node = new Map(pod.nodes.map((n) => [n.id, n]));
      assert.is(pod.stack, 'pod');
      assert.equal(node.get('cgroup/team')?.limits, ['memory.max 256 MiB', 'pids.max 77']);
      assert.is(node.get('container/db')?.parent, 'cgroup/team');
      assert.equal(node.get('container/db')?.notes, [
        'running',
        `pid ${db}`,
        `net also has other:guest, process ${stranger.pid} (sleep)`,
      ]);
      assert.equal(node.get('container/late')?.notes, ['stopped']);
      assert.equal(node.get('cgroup/team/foreign')?.notes, ['not made by tsbox']);
      assert.equal(node.get('namespace/bus')?.notes, ['ipc']);
      const edges = pod.edges.map((e) => `${e.from} ${e.kind} ${e.to} ${e.label}`.trimEnd()).sort();
      assert.equal(edges, [
        'container/db mount volume/data rw',
        'container/db namespace namespace/bus ipc',
        'container/late depends_on container/web',
        'container/web mount volume/data ro',
        'container/web namespace container/db net',
        'container/web namespace host pid',
        'container/web namespace namespace/bus ipc',
      ]);

      const all = await graph();
      assert.is(all.stack, null);
      assert.ok(all.edges.some((e) => e.from === 'container/other:guest' && e.to === 'container/pod:db'));
      assert.equal(
        all.nodes.filter((n) => n.parent === null && n.kind === 'cgroup').map((n) => n.id),
        ['stack/other', 'stack/pod'],
      );
      const picture = await box.tsbox('graph', '--live');
      assert.match(picture.stdout, 'net of pod:db');
      assert.match((await box.tsbox('graph', '--live', '--stack', 'nobody')).stderr, 'nothing of stack nobody is here');
    } finally {
      stranger.kill('SIGKILL');
      rmdirSync(foreign);
    }
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
});

test('a machine without stacks', async () => {
  const box = await sandbox('graph-live');
  try {
    for (const format of ['svg', 'dot', 'mermaid', 'json']) {
      const run = await box.tsbox('graph', '--live', '--format', format);
      assert.is(run.code, 0, run.stderr);
      assert.ok(!/NaN|Infinity/.test(run.stdout), run.stdout);
    }
  } finally {
    await box.cleanup();
  }
});

test.run();
