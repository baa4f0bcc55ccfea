/** A kernel recorded while a stack runs gives the same plan, byte for byte, when nothing runs and nobody is root. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { CLI, sandbox, type Run, type Sandbox } from '../support/sandbox.ts';

const TOKEN = 'hunter2-"hunter2';

const stack = (pids: number, more = ''): string => `tsbox: 1
name: shop
variables:
  token: { type: string, sensitive: true, default: '${TOKEN}' }
cgroups:
  tenants: { pids: { max: ${pids} } }
namespaces:
  front: { type: net }
volumes:
  data: {}
secrets:
  key: { content: a-key-of-the-shop }
devices:
  few: [{ deny: all }, { allow: /dev/null rwm }]
containers:
  db:
    cgroup: tenants
    command: [sleep, infinity]
    devices: few
    env: { TOKEN: "\${token}", MODE: fast }
    mounts: [{ volume: data, target: /run/data }, { bind: ., target: /run/here, readonly: true }]
    namespaces: { net: front, uts: { hostname: db } }
    secrets: [key]
${more}`;

/** As nobody, who may read the sandbox's files: no privileges, and none of its settings. */
const unprivileged = (box: Sandbox, ...args: string[]): Promise<Run> =>
  box.run('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, CLI, ...args], {
    TSBOX_CGROUP_ROOT: undefined,
    TSBOX_RUN_DIR: undefined,
    TSBOX_STATE_DIR: undefined,
  });

test('recorded with drift and a change, replayed by nobody', async () => {
  const before = await snapshot();
  const box = await sandbox('recorded');
  try {
    chmodSync(box.dir, 0o755);
    const file = box.write('tsbox.yaml', stack(100));
    const applied = await box.tsbox('apply', '-y', '-q');
    assert.is(applied.code, 0, applied.stderr);
    writeFileSync(join(box.cgroupDir('pids', 'shop/tenants'), 'pids.max'), '77');
    writeFileSync(file, stack(100, '  web: { command: [sleep, infinity], memory: { max: 64MiB } }\n'));
    const live = await box.tsbox('plan', '--record-kernel', 'here.kernel');
    assert.is(live.code, 0, live.stderr);
    assert.match(live.stdout, '+ container/web');
    assert.match(live.stdout, '77 -> 100');
    assert.is((await box.tsbox('apply', '-y', '-q', '--var', 'token=ab')).code, 0);
    const short = await box.tsbox('plan', '--record-kernel', 'short.kernel');
    assert.is(short.code, 1, short.stdout);
    assert.match(short.stderr, 'earlier TOKEN of container/db is too short to be left out of a recording');
    const destroyed = await box.tsbox('destroy', '-y', '-q', '--volumes');
    assert.is(destroyed.code, 0, destroyed.stderr);

    const recorded = readFileSync(join(box.dir, 'here.kernel'), 'utf8');
    assert.not.match(recorded, 'hunter2');
    assert.not.match(recorded, 'a-key-of-the-shop');
    assert.not.match(recorded, /secret:[0-9a-f]*[1-9a-f]/);
    chmodSync(join(box.dir, 'here.kernel'), 0o644);
    const replayed = await unprivileged(box, 'plan', '--kernel', 'here.kernel');
    assert.is(replayed.code, 0, replayed.stderr);
    assert.is(replayed.stdout, live.stdout);
    assert.is(replayed.stderr, live.stderr);
    const again = await unprivileged(box, 'plan', '--kernel', 'here.kernel', '--var', 'token=another-token');
    assert.is(again.stdout, live.stdout, 'who has not the secret sees the same');

    writeFileSync(
      file,
      stack(100, '  other: { command: [sleep, infinity], devices: [{ allow: /dev/loop-control rw }] }\n'),
    );
    const asked = await unprivileged(box, 'plan', '--kernel', 'here.kernel');
    assert.is(asked.code, 1);
    assert.match(asked.stderr, 'the recorded kernel here.kernel was not asked for devices: /dev/loop-control');
    assertNoLeaks(before, await snapshot());
  } finally {
    await box.cleanup();
  }
});

test.run();
