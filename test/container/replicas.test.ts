/** Replicas on the live system: what each is, and that scaling touches only what it changes. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { exists, nsInode, sandbox, startTime } from '../support/sandbox.ts';
import type { Sandbox } from '../support/sandbox.ts';

const STACK = `tsbox: 1
name: copies
variables: { n: { type: integer, default: 3 } }
containers:
  db: { command: [sleep, infinity] }
  web:
    command: [sh, -c, "echo I am \${index}; exec sleep infinity"]
    replicas: \${n}
    env: { NUMBER: "\${index}" }
    depends_on: [db]
    namespaces: { ipc: container/db }
    memory: { max: "3\${index}MiB" }
  side: { command: [sleep, infinity], depends_on: [web], namespaces: { net: "container/web[0]" } }
outputs:
  first: \${container.web[0].pid}
`;

interface Row {
  readonly name: string;
  readonly pid: number | null;
}

async function rows(box: Sandbox): Promise<Map<string, number>> {
  const { stdout } = await box.tsbox('ps', '--json', '--stack', 'copies');
  return new Map((JSON.parse(stdout) as Row[]).map((r) => [r.name, r.pid ?? 0]));
}

async function withStack(text: string, body: (box: Sandbox) => Promise<void>): Promise<void> {
  const before = await snapshot();
  const box = await sandbox('replicas');
  try {
    box.write('tsbox.yaml', text);
    await body(box);
    const destroyed = await box.tsbox('destroy', '--stack', 'copies', '--auto-approve');
    assert.is(destroyed.code, 0, destroyed.stderr);
    assertNoLeaks(before, await snapshot());
  } finally {
    await box.cleanup();
  }
}

const apply = async (box: Sandbox, ...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await box.tsbox('apply', '--auto-approve', ...args);
  assert.is(code, 0, stderr + stdout);
  return stdout;
};

const empty = async (box: Sandbox, ...args: string[]): Promise<void> => {
  const { code, stdout } = await box.tsbox('plan', '--detailed-exitcode', ...args);
  assert.is(code, 0, stdout);
};

test('each replica has its own number, cgroup, host name, log and limits', async () => {
  await withStack(STACK, async (box) => {
    const applied = await apply(box);
    await empty(box);
    const found = await rows(box);
    assert.equal([...found.keys()].sort(), ['db', 'side', 'web[0]', 'web[1]', 'web[2]']);
    assert.match(applied, `first = ${found.get('web[0]')}\n`);
    for (const index of [0, 1, 2]) {
      const pid = found.get(`web[${index}]`) ?? 0;
      assert.ok(readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`NUMBER=${index}`));
      assert.match(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), `/copies/web.${index}\n`);
      const leaf = box.cgroupDir('memory', `copies/web.${index}`);
      const limit = ['memory.max', 'memory.limit_in_bytes'].map((f) => `${leaf}/${f}`).find(exists) ?? '';
      assert.is(readFileSync(limit, 'utf8'), `${(30 + index) << 20}\n`);
      assert.match(readFileSync(`${box.runDir}/copies/logs/web.${index}.log`, 'utf8'), `F I am ${index}\n`);
      assert.is((await box.tsbox('exec', `web[${index}]`, '--', 'hostname')).stdout, `web-${index}\n`);
      assert.is(nsInode(pid, 'ipc'), nsInode(found.get('db') ?? 0, 'ipc'));
    }
    assert.is(nsInode(found.get('side') ?? 0, 'net'), nsInode(found.get('web[0]') ?? 0, 'net'));
  });
});

test('scaling makes and removes only what changes, the highest first', async () => {
  await withStack(STACK, async (box) => {
    await apply(box);
    const starts = new Map([...(await rows(box))].map(([name, pid]) => [name, startTime(pid)]));
    const less = (await box.tsbox('plan', '--var', 'n=1')).stdout;
    assert.match(less, /- container\/web\[1\.\.2\] .*\nSymbols: - remove\.\nPlan: 0 to add, 0 to change, 2 to destroy/);
    await apply(box, '--var', 'n=1');
    await empty(box, '--var', 'n=1');
    assert.equal([...(await rows(box)).keys()].sort(), ['db', 'side', 'web[0]']);
    assert.not.ok(exists(box.cgroupDir('pids', 'copies/web.1')));
    await apply(box, '--var', 'n=4');
    await empty(box, '--var', 'n=4');
    const more = await rows(box);
    assert.equal([...more.keys()].sort(), ['db', 'side', 'web[0]', 'web[1]', 'web[2]', 'web[3]']);
    for (const name of ['db', 'side', 'web[0]']) {
      assert.is(startTime(more.get(name) ?? 0), starts.get(name), `${name} went on`);
    }
  });
});

test('a target may be one replica or all of them; none may be left', async () => {
  await withStack(STACK.replace(/^ {2}side:.*\n/m, '').replace(/^outputs:[^]*/m, ''), async (box) => {
    await apply(box, '--target', 'container/web[1]');
    assert.equal([...(await rows(box)).keys()].sort(), ['db', 'web[1]']);
    await apply(box, '--target', 'container/web');
    assert.equal([...(await rows(box)).keys()].sort(), ['db', 'web[0]', 'web[1]', 'web[2]']);
    const shown = JSON.parse((await box.tsbox('show', 'container/web[1]', '--json')).stdout) as { address: string };
    assert.is(shown.address, 'container/web[1]');
    await apply(box, '--var', 'n=0');
    await empty(box, '--var', 'n=0');
    assert.equal([...(await rows(box)).keys()], ['db']);
  });
});

test.run();
