/** The traps of user namespaces, each made for real: owners, order, groups, long maps, /proc, locked mounts. */
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadNative } from '../../src/kernel/native.ts';
import { nsInode, procStatus, type Sandbox } from '../support/sandbox.ts';
import { applied, destroyed, idMap, makeRoot, pidsOf, scene } from '../support/userns.ts';
import { until } from '../support/wait.ts';

const MAPS = 'uids: [{ inside: 0, outside: 300000, count: 65536 }]';
const MAIN = 'command: [sleep, infinity]';

function stackOf(box: Sandbox, body: string): string {
  return box.write('stack.yaml', `tsbox: 1\nname: trap\n${body}`);
}

function inode(link: string): string {
  return /\[(\d+)\]/.exec(link)?.[1] ?? '';
}

/** A process in namespaces of its own, as another tool would leave it. */
async function stranger(types: readonly string[]): Promise<ChildProcess> {
  const child = spawn('unshare', [...types.map((t) => `--${t}`), 'sleep', '60']);
  const name = types[0] === 'user' ? 'user' : 'net';
  await until('its namespace', () => {
    try {
      return readlinkSync(`/proc/${child.pid}/ns/${name}`) !== readlinkSync(`/proc/self/ns/${name}`);
    } catch {
      return false;
    }
  });
  return child;
}

async function ended(child: ChildProcess): Promise<void> {
  const exit = new Promise((resolve) => child.on('exit', resolve));
  child.kill('SIGKILL');
  await exit;
}

test('user first: every namespace made with it is owned by it', async () => {
  await scene(async (box) => {
    const file = stackOf(
      box,
      `containers:\n  app: { ${MAIN}, namespaces: { user: { ${MAPS} }, time: { monotonic: 10 } } }\n`,
    );
    await applied(box, file);
    const { app = 0 } = await pidsOf(box, 'trap');
    const own = inode(nsInode(app, 'user'));
    for (const type of ['mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup', 'time']) {
      const owners = loadNative().namespaceOwners([`/proc/${app}/ns/${type}`])[0];
      assert.is(String(owners).split(' ')[0], own, type);
    }
    await destroyed(box, file);
  });
});

test('a network owned by another user namespace is refused with the name of its owner, before anything is made', async () => {
  await scene(async (box) => {
    const refused = async (body: string, message: RegExp, line: number): Promise<void> => {
      const run = await box.tsbox('plan', '-f', stackOf(box, body));
      assert.is(run.code, 1, run.stdout);
      assert.match(run.stderr, message);
      assert.match(run.stderr, new RegExp(`stack\\.yaml:${line}:`));
    };
    const declared = `namespaces:
  lab: { type: user, ${MAPS} }
  front: { type: net }
containers:
`;
    await refused(
      `${declared}  app: { ${MAIN}, namespaces: { user: lab, net: front } }\n`,
      /the net namespace of namespace\/front is owned by the host's user namespace, and nothing in that of namespace\/lab has rights over it/,
      7,
    );
    await refused(
      `${declared}  db: { ${MAIN}, namespaces: { user: { ${MAPS} } } }\n  app: { ${MAIN}, namespaces: { user: lab, ipc: container/db } }\n`,
      /the ipc namespace of container\/db is owned by the user namespace of container\/db, and nothing/,
      8,
    );
    const net = await stranger(['net']);
    const user = await stranger(['user', 'net']);
    try {
      await refused(
        `containers:\n  app: { ${MAIN}, namespaces: { user: pid:${user.pid}, net: pid:${net.pid} } }\n`,
        /the net namespace of pid:\d+ is owned by the host's user namespace, and nothing in that of pid:/,
        4,
      );
      const both = stackOf(
        box,
        `containers:\n  app: { ${MAIN}, namespaces: { user: pid:${user.pid}, net: pid:${user.pid} } }\n`,
      );
      const plan = await box.tsbox('plan', '-f', both);
      assert.is(plan.code, 0, plan.stderr);
    } finally {
      await Promise.all([net, user].map(ended));
    }
  });
});

test('a container joins the namespaces of the user namespace it shares, and of its own a foreign network', async () => {
  await scene(async (box) => {
    const file = stackOf(
      box,
      `namespaces:
  front: { type: net }
containers:
  db: { ${MAIN}, namespaces: { user: { ${MAPS} } } }
  app: { ${MAIN}, namespaces: { user: container/db, net: container/db, pid: container/db } }
  out: { ${MAIN}, namespaces: { user: { ${MAPS} }, net: front } }
`,
    );
    await applied(box, file);
    const { db = 0, app = 0, out = 0 } = await pidsOf(box, 'trap');
    for (const type of ['user', 'net', 'pid']) {
      assert.is(nsInode(app, type), nsInode(db, type), type);
    }
    assert.is(inode(nsInode(out, 'net')), inode(readlinkSync(`/proc/${out}/ns/net`)));
    assert.is.not(nsInode(out, 'net'), nsInode(process.pid, 'net'));
    await destroyed(box, file);
  });
});

test('setgroups: deny holds, and keeps none of the groups of whoever applied', async () => {
  await scene(async (box) => {
    const body = (how: string): string => `containers:
  app:
    ${MAIN}
    capabilities: [SETGID]
    namespaces: { user: { ${MAPS}, setgroups: ${how} } }
`;
    const file = stackOf(box, body('deny'));
    const run = await box.run('setpriv', [
      '--groups',
      '4,24',
      process.execPath,
      join(process.cwd(), 'dist/tsbox'),
      'apply',
      '-f',
      file,
      '--auto-approve',
    ]);
    assert.is(run.code, 0, run.stderr);
    const { app = 0 } = await pidsOf(box, 'trap');
    assert.is(readFileSync(`/proc/${app}/setgroups`, 'utf8'), 'deny\n');
    assert.is(procStatus(app).get('Groups'), '');
    const drop = ['exec', 'container/trap:app', '--', 'setpriv', '--clear-groups', 'true'];
    assert.match((await box.tsbox(...drop)).stderr, /setgroups failed: Operation not permitted/);
    stackOf(box, body('allow'));
    await applied(box, file);
    assert.is((await box.tsbox(...drop)).code, 0);
    stackOf(box, body('deny').replace('capabilities', 'user: { user: 1, group: 1, groups: [2] }\n    capabilities'));
    const refused = await box.tsbox('plan', '-f', file);
    assert.match(refused.stderr, /groups 2 cannot be taken: its user namespace denies setgroups/);
    await destroyed(box, file);
  });
});

test('a map of hundreds of lines, in any order, reads back as declared', async () => {
  await scene(async (box) => {
    const maps = Array.from({ length: 300 }, (_, i) => `{ inside: ${299 - i}, outside: ${200_000 + 2 * i}, count: 1 }`);
    const file = stackOf(
      box,
      `containers:
  app: { ${MAIN}, user: "299:299", namespaces: { user: { uids: [${maps.join(', ')}] } } }
`,
    );
    await applied(box, file);
    const { app = 0 } = await pidsOf(box, 'trap');
    assert.is(idMap(app).length, 300);
    assert.is(idMap(app)[299], '299 200000 1');
    assert.is(procStatus(app).get('Uid')?.split('\t')[0], '200000');
    await destroyed(box, file);
    const long = Array.from({ length: 340 }, (_, i) => `{ inside: ${i}, outside: ${200_000 + 2 * i}, count: 1 }`);
    stackOf(box, `containers:\n  app: { ${MAIN}, namespaces: { user: { uids: [${long.join(', ')}] } } }\n`);
    assert.match(
      (await box.tsbox('validate', '-f', file)).stderr,
      /the map takes \d+ bytes, and the kernel reads less/,
    );
  });
});

test('a user that the map leaves out is refused at its place, by number and by name', async () => {
  await scene(async (box) => {
    makeRoot(join(box.dir, 'root'));
    for (const user of ['1000:1000', 'worker']) {
      const file = stackOf(
        box,
        `containers:
  app:
    rootfs: { dir: root }
    command: [/bin/sleep, "9"]
    user: ${user}
    namespaces: { user: { uids: [{ inside: 0, outside: 300000, count: 1000 }] } }
`,
      );
      const run = await box.tsbox('plan', '-f', file);
      assert.is(run.code, 1);
      assert.match(run.stderr, /user 1000, group 1000 is not mapped in its user namespace/);
      assert.match(run.stderr, /stack\.yaml:7:/);
    }
  });
});

test("/proc of the host's processes is shown in a user namespace; of anybody else's pid namespace it cannot be", async () => {
  await scene(async (box) => {
    const file = stackOf(box, `containers:\n  app: { ${MAIN}, namespaces: { user: { ${MAPS} }, pid: host } }\n`);
    await applied(box, file);
    const { app = 0 } = await pidsOf(box, 'trap');
    const comm = await box.tsbox('exec', 'container/trap:app', '--', 'cat', `/proc/${app}/comm`);
    assert.is(comm.stdout, 'sleep\n');
    await destroyed(box, file);
    stackOf(
      box,
      `namespaces:\n  procs: { type: pid }\ncontainers:\n  app: { ${MAIN}, namespaces: { user: { ${MAPS} }, pid: procs } }\n`,
    );
    const refused = await box.tsbox('plan', '-f', file);
    assert.is(refused.code, 1);
    assert.match(refused.stderr, /lets only the owner mount its \/proc/);
  });
});

/** Runs tsbox where a mount has been made before, in a mount namespace that goes with it. */
function within(box: Sandbox, prepare: string, ...args: string[]): ReturnType<Sandbox['run']> {
  const script = `mount --make-rprivate / && ${prepare} && exec "$@"`;
  const cli = join(process.cwd(), 'dist/tsbox');
  return box.run('unshare', ['-m', 'sh', '-ec', script, 'sh', process.execPath, cli, ...args]);
}

test('where parts of /proc are covered the kernel gives no other one, and the error says so', async () => {
  await scene(async (box) => {
    const file = stackOf(box, `containers:\n  app: { ${MAIN}, namespaces: { user: { ${MAPS} } } }\n`);
    const run = await within(box, 'mount -t tmpfs none /proc/irq', 'apply', '-f', file, '--auto-approve');
    assert.is(run.code, 1, run.stdout);
    assert.match(run.stderr, /mount \/proc: EPERM/);
    assert.match(run.stderr, /only where nothing covers parts of the host's own/);
    await box.tsbox('destroy', '-f', file, '--auto-approve');
  });
});

test('terminals belong to group tty where the map has it', async () => {
  await scene(async (box) => {
    const file = stackOf(
      box,
      `containers:
  app: { ${MAIN}, namespaces: { user: { ${MAPS} } } }
  few: { ${MAIN}, namespaces: { user: { uids: [{ inside: 0, outside: 300000, count: 2 }] } } }
`,
    );
    await applied(box, file);
    const { app = 0, few = 0 } = await pidsOf(box, 'trap');
    const pts = (pid: number): string =>
      readFileSync(`/proc/${pid}/mountinfo`, 'utf8')
        .split('\n')
        .find((l) => l.includes(' /dev/pts ')) ?? '';
    assert.match(pts(app), /gid=300005/);
    assert.not.match(pts(few), /gid=/);
    await destroyed(box, file);
  });
});

test('what is mounted read-only on the host stays so for a container root with CAP_SYS_ADMIN', async () => {
  await scene(async (box) => {
    const file = stackOf(
      box,
      `containers:
  app:
    ${MAIN}
    capabilities: [SYS_ADMIN]
    seccomp: unconfined
    namespaces: { user: { ${MAPS} } }
`,
    );
    const run = await within(box, `mount -t tmpfs -o ro,nosuid,nodev none /srv`, 'apply', '-f', file, '--auto-approve');
    assert.is(run.code, 0, run.stderr);
    for (const target of ['/srv', '/']) {
      const remount = await box.tsbox('exec', 'container/trap:app', '--', 'mount', '-o', 'remount,bind,rw', target);
      assert.is.not(remount.code, 0, `${target} was made writable: ${remount.stderr}`);
    }
    await destroyed(box, file);
  });
});

test.run();
