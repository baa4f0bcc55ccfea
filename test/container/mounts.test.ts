/** Mounts of a container, proved by /proc and not by tsbox: every kind, changes in place, edits by hand, volumes kept. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseMountInfo, type MountInfo } from '../../src/kernel/proc.ts';
import { loadNative } from '../../src/kernel/native.ts';
import { LABEL_XATTR } from '../../src/resources/label.ts';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { sandbox, startTime } from '../support/sandbox.ts';

type Sandbox = Awaited<ReturnType<typeof sandbox>>;

const STACK = 'mounty';

interface World {
  readonly box: Sandbox;
  apply(text: string): Promise<string>;
  pid(): Promise<number>;
}

function stack(container: string, rest = ''): string {
  return `
tsbox: 1
name: ${STACK}
${rest}
containers:
  app:
    command: [sleep, infinity]
    restart: { policy: always, backoff: 20ms }
${container.replace(/^/gm, '    ')}
`;
}

async function withBox(body: (world: World) => Promise<void>): Promise<void> {
  const before = await snapshot();
  const box = await sandbox('mounts');
  try {
    mkdirSync(join(box.dir, 'src/below'), { recursive: true });
    writeFileSync(join(box.dir, 'src/hello'), 'from the host');
    await body({
      box,
      async apply(text) {
        const file = box.write('stack.yaml', text);
        const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
        assert.is(applied.code, 0, applied.stderr + applied.stdout);
        const plan = await box.tsbox('plan', '-f', file, '--detailed-exitcode');
        assert.is(plan.code, 0, `not empty after apply:\n${plan.stdout}`);
        return applied.stdout + applied.stderr;
      },
      async pid() {
        const { stdout } = await box.tsbox('ps', '--json', '--stack', STACK);
        return (JSON.parse(stdout) as Array<{ pid: number | null }>)[0]?.pid ?? 0;
      },
    });
    const destroyed = await box.tsbox('destroy', '--stack', STACK, '--volumes', '--auto-approve');
    assert.is(destroyed.code, 0, destroyed.stderr);
    assert.not.ok(existsSync(join(box.dir, 'var')), 'nothing is left in the state directory');
    assertNoLeaks(before, await snapshot());
  } finally {
    await box.cleanup();
  }
}

function mounts(pid: number): readonly MountInfo[] {
  return parseMountInfo(readFileSync(`/proc/${pid}/mountinfo`, 'utf8'));
}

function at(pid: number, target: string): MountInfo {
  const found = mounts(pid).filter((m) => m.target === target);
  assert.is(found.length, 1, `${found.length} mounts on ${target}`);
  return found[0] as MountInfo;
}

function has(mount: MountInfo, ...flags: string[]): void {
  for (const flag of flags) {
    assert.ok(mount.options.includes(flag), `${mount.target} is not ${flag}: ${mount.options.join(',')}`);
  }
}

function inside(pid: number, ...command: string[]): string {
  return execFileSync('nsenter', ['-t', String(pid), '-m', '--', ...command], { encoding: 'utf8' });
}

const ALL = `
mounts:
  - { bind: ./src, target: /run/ro, readonly: true }
  - { bind: ./src/hello, target: /run/file, noexec: true, nosuid: false, nodev: false }
  - { tmpfs: /run/cache, size: 1MiB, mode: 0750, uid: 7, gid: 8, inodes: 100 }
  - { tmpfs: /run/cache/below }
  - { volume: data, target: /run/data }
  - { proc: /proc, hidepid: invisible, subset: pid }
  - { mqueue: /run/mq }
  - { devpts: /run/pts }
  - { sysfs: /run/sys }
  - { cgroup: /run/cg }
shm_size: 8MiB
secrets:
  - token
  - { source: token, target: other, uid: "33", gid: 34, mode: 0400 }
configs:
  - { source: conf, target: /run/conf }`;

const SOURCES = `
volumes:
  data: { owner: "1000:1001", mode: 0750 }
secrets:
  token: { content: first-secret-word }
configs:
  conf: { file: ./src/hello }`;

test('every kind of mount is what it was declared to be', async () => {
  await withBox(async ({ box, apply, pid }) => {
    const output = await apply(stack(ALL, SOURCES));
    const app = await pid();
    const ro = at(app, '/run/ro');
    has(ro, 'ro', 'nosuid', 'nodev');
    assert.is(ro.root.endsWith('/src'), true, ro.root);
    assert.throws(() => inside(app, 'touch', '/run/ro/x'), /Read-only file system/);
    const file = at(app, '/run/file');
    has(file, 'rw', 'noexec');
    assert.is(inside(app, 'cat', '/run/file'), 'from the host');
    const cache = at(app, '/run/cache');
    has(cache, 'rw', 'nosuid', 'nodev');
    assert.equal(cache.superOptions.filter((o) => o !== 'rw' && o !== 'inode64').sort(), [
      'gid=8',
      'mode=750',
      'nr_inodes=100',
      'size=1024k',
      'uid=7',
    ]);
    assert.throws(() => inside(app, 'dd', 'if=/dev/zero', 'of=/run/cache/big', 'bs=1M', 'count=2'), /No space/);
    assert.is(at(app, '/run/cache/below').parent, cache.id);
    inside(app, 'touch', '/run/data/kept');
    const volume = join(box.dir, 'var/volumes', STACK, 'data');
    assert.ok(existsSync(join(volume, 'kept')));
    const owned = statSync(volume);
    assert.equal([owned.uid, owned.gid, owned.mode & 0o7777], [1000, 1001, 0o750]);
    assert.equal(
      at(app, '/proc').superOptions.filter((o) => o !== 'rw'),
      ['hidepid=invisible', 'subset=pid'],
    );
    assert.is(at(app, '/run/mq').fstype, 'mqueue');
    assert.is(at(app, '/run/pts').fstype, 'devpts');
    has(at(app, '/run/sys'), 'ro', 'nosuid', 'nodev', 'noexec');
    has(at(app, '/run/cg'), 'ro');
    assert.is(at(app, '/run/cg').fstype, 'cgroup2');
    assert.ok(at(app, '/dev/shm').superOptions.includes('size=8192k'));
    for (const [path, mode, uid, gid] of [
      ['/run/secrets/token', 0o444, 0, 0],
      ['/run/secrets/other', 0o400, 33, 34],
    ] as const) {
      const stat = statSync(`/proc/${app}/root${path}`);
      assert.equal([stat.mode & 0o7777, stat.uid, stat.gid], [mode, uid, gid]);
      assert.is(readFileSync(`/proc/${app}/root${path}`, 'utf8'), 'first-secret-word');
      has(at(app, path), 'ro', 'nosuid', 'nodev', 'noexec');
      assert.is(at(app, path).fstype, 'tmpfs');
    }
    assert.is(readFileSync(`/proc/${app}/root/run/conf`, 'utf8'), 'from the host');
    assert.not.match(output, 'first-secret-word');
  });
});

test('a change of mounts keeps the process, and what the supervisor restarts has them as last applied', async () => {
  await withBox(async ({ apply, pid }) => {
    await apply(stack(ALL, SOURCES));
    const app = await pid();
    const began = startTime(app);
    inside(app, 'touch', '/run/cache/kept');
    const changed = ALL.replace('readonly: true', 'noexec: true')
      .replace('size: 1MiB', 'size: 4MiB')
      .replace('  - { volume: data, target: /run/data }\n', '  - { tmpfs: /run/new/deep }\n')
      .replace(', subset: pid', '')
      .replace('shm_size: 8MiB', 'shm_size: 16MiB')
      .replace('mode: 0400', 'mode: 0440')
      .replace('  - { mqueue: /run/mq }\n', '');
    const output = await apply(stack(changed, SOURCES.replace('first-secret', 'second-secret')));
    assert.match(output, /container\/app\s+in place/);
    assert.not.match(output, /second-secret|first-secret/);
    assert.equal([await pid(), startTime(app)], [app, began]);
    const check = (now: number): void => {
      has(at(now, '/run/ro'), 'rw', 'noexec');
      assert.ok(at(now, '/run/cache').superOptions.includes('size=4096k'));
      at(now, '/run/new/deep');
      assert.not.ok(mounts(now).some((m) => m.target === '/run/data' || m.target === '/run/mq'));
      assert.equal(
        at(now, '/proc').superOptions.filter((o) => o !== 'rw'),
        ['hidepid=invisible'],
      );
      assert.ok(
        mounts(now).some((m) => m.target === '/proc/sys' && m.options.includes('ro')),
        'still protected',
      );
      assert.ok(at(now, '/dev/shm').superOptions.includes('size=16384k'));
      assert.is(readFileSync(`/proc/${now}/root/run/secrets/token`, 'utf8'), 'second-secret-word');
      assert.is(statSync(`/proc/${now}/root/run/secrets/other`).mode & 0o7777, 0o440);
    };
    check(app);
    assert.is(inside(app, 'ls', '/run/cache'), 'below\nkept\n', 'a tmpfs that grows keeps its content');
    process.kill(app, 'SIGKILL');
    let again = 0;
    for (let i = 0; i < 40 && (again === 0 || again === app); i++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      again = await pid();
    }
    check(again);
    await apply(stack(changed, SOURCES.replace('first-secret', 'second-secret')));
    assert.is(await pid(), again, 'and nothing is left to do');
  });
});

/** What drifted: attributes, and for maps the keys that differ; foreign things by their text. */
async function drift(box: Sandbox): Promise<string[]> {
  const { stdout } = await box.tsbox('drift', '-f', join(box.dir, 'stack.yaml'), '--format', 'json');
  type Map = Readonly<Record<string, string>>;
  const { items } = JSON.parse(stdout) as {
    items: Array<{ attribute: string; live: Map | string | null; last_applied: Map | null }>;
  };
  return items
    .flatMap(({ attribute, live, last_applied }) => {
      if (live === null || typeof live === 'string') {
        return [`${attribute} ${live ?? 'null'}`];
      }
      const keys = [...new Set([...Object.keys(live), ...Object.keys(last_applied ?? {})])];
      return keys.filter((k) => live[k] !== last_applied?.[k]).map((k) => `${attribute} ${k}=${live[k] ?? 'gone'}`);
    })
    .sort();
}

test('what is done to mounts by hand is shown as exactly that, and healed in place', async () => {
  await withBox(async ({ box, apply, pid }) => {
    const text = stack(ALL, SOURCES);
    await apply(text);
    const app = await pid();
    const began = startTime(app);
    const heal = async (): Promise<void> => {
      const healed = await box.tsbox('apply', '-f', join(box.dir, 'stack.yaml'), '--auto-approve');
      assert.is(healed.code, 0, healed.stderr + healed.stdout);
      assert.match(healed.stdout, /container\/app\s+in place/);
    };
    inside(app, 'mount', '-o', 'remount,bind,rw,nosuid,nodev', '/run/ro');
    inside(app, 'umount', '/run/data');
    inside(app, 'mount', '-o', 'remount,size=2M,nosuid,nodev', '/run/cache');
    inside(app, 'mount', '-o', 'remount,hidepid=0,nosuid,nodev,noexec', '/proc');
    inside(app, 'mount', '-o', 'remount,size=1M', '/dev/shm');
    inside(app, 'umount', '/sys/firmware');
    inside(app, 'mount', '-t', 'tmpfs', 'x', '/srv');
    const cache = 'tmpfs rw,nosuid,nodev,size=2097152,inodes=100,mode=0750,uid=7,gid=8';
    assert.equal(await drift(box), [
      'mount mount /srv tmpfs rw appeared',
      'mount mount /sys/firmware tmpfs ro is gone',
      `mounts /proc=proc rw,nosuid,nodev,noexec,subset=pid`,
      `mounts /run/cache=${cache}`,
      'mounts /run/data=gone',
      `mounts /run/ro=bind rw,nosuid,nodev ${box.dir}/src`,
      'shm_size 1048576',
    ]);
    await heal();
    has(at(app, '/run/ro'), 'ro', 'nosuid', 'nodev');
    at(app, '/sys/firmware');
    assert.not.ok(mounts(app).some((m) => m.target === '/srv'));

    inside(app, 'mount', '-t', 'tmpfs', 'x', '/run/ro');
    inside(app, 'mount', '--make-shared', '/run/file');
    inside(app, 'mount', '--bind', '/run/file', '/run/secrets/token');
    inside(app, 'mount', '-o', 'remount,bind,rw', '/sys');
    const [covered, , ...rest] = (await drift(box)).reverse();
    // A file on a tmpfs could be the secret's, and is told apart by what is in it.
    assert.match(covered ?? '', /^secrets \/run\/secrets\/token=(?:.*\(sensitive content\).*|\(sensitive value\))$/);
    assert.equal(rest.reverse(), [
      'mount mount /sys sysfs ro is gone',
      'mount mount /sys sysfs rw appeared',
      `mounts /run/file=bind rw,noexec,shared ${box.dir}/src/hello`,
    ]);
    await heal();
    assert.is(readFileSync(`/proc/${app}/root/run/secrets/token`, 'utf8'), 'first-secret-word');
    has(at(app, '/sys'), 'ro');
    assert.equal([await pid(), startTime(app)], [app, began], 'healed without a restart');
  });
});

test('volumes outlive the stack; what was in them is there again', async () => {
  await withBox(async ({ box, apply, pid }) => {
    const text = stack('mounts: [{ volume: data, target: /run/data, subpath: sub }]', 'volumes: { data: }');
    const directory = join(box.dir, 'var/volumes', STACK, 'data');
    await apply(text.replace(', subpath: sub', ''));
    mkdirSync(join(directory, 'sub'));
    writeFileSync(join(directory, 'sub/kept'), 'kept');
    const file = join(box.dir, 'stack.yaml');
    assert.is((await box.tsbox('destroy', '-f', file, '--auto-approve')).code, 0);
    assert.is(readFileSync(join(directory, 'sub/kept'), 'utf8'), 'kept');
    await apply(text);
    assert.is(readFileSync(`/proc/${await pid()}/root/run/data/kept`, 'utf8'), 'kept');
    const app = await pid();
    execFileSync('rm', ['-r', directory]);
    const plan = await box.tsbox('plan', '-f', file);
    assert.match(plan.stdout, /\+ volume\/data\s+created.*drift: it was there at the last apply/);
    await apply(text.replace(', subpath: sub', ''));
    assert.is(await pid(), app, 'the new directory took the place of the removed one');
    writeFileSync(join(directory, 'new'), 'x');
    assert.ok(existsSync(`/proc/${app}/root/run/data/new`));
  });
});

test('owner and mode of a volume, and its mark, by hand', async () => {
  await withBox(async ({ box, apply }) => {
    const text = stack('', 'volumes: { data: { owner: "5:6", mode: 0700 } }');
    await apply(text);
    const directory = join(box.dir, 'var/volumes', STACK, 'data');
    execFileSync('chmod', ['755', directory]);
    execFileSync('chown', ['1:1', directory]);
    assert.equal(await drift(box), ['mode 0755', 'owner 1:1']);
    loadNative().removeXattr(directory, LABEL_XATTR);
    assert.match((await box.tsbox('plan', '-f', join(box.dir, 'stack.yaml'))).stdout, 'not marked as a volume');
    await apply(text);
    const stat = statSync(directory);
    assert.equal([stat.uid, stat.gid, stat.mode & 0o7777], [5, 6, 0o700]);
  });
});

test('in a user namespace: mounts are its own, ids are its own, changes are in place', async () => {
  await withBox(async ({ apply, pid }) => {
    const user = '\nnamespaces: { user: { uids: [{ inside: 0, outside: 100000, count: 65536 }] } }';
    await apply(stack(ALL + user, SOURCES));
    const app = await pid();
    const other = statSync(`/proc/${app}/root/run/secrets/other`);
    assert.equal([other.uid, other.gid], [100033, 100034]);
    await apply(
      stack(
        ALL.replace(', subset: pid', '').replace('size: 1MiB', 'size: 2MiB').replace('readonly: true', 'noexec: true') +
          user,
        SOURCES.replace('first', 'second'),
      ),
    );
    assert.is(await pid(), app);
    assert.is(readFileSync(`/proc/${app}/root/run/secrets/token`, 'utf8'), 'second-secret-word');
    assert.is(statSync(`/proc/${app}/root/run/secrets/other`).uid, 100033);
  });
});

test('what the host cannot give is told before anything is done', async () => {
  await withBox(async ({ box }) => {
    const cases: ReadonlyArray<readonly [string, string, RegExp]> = [
      ['mounts: [{ bind: ./nothing, target: /run/x }]', '', /there is no .*\/nothing to mount on \/run\/x/],
      ['secrets: [t]', 'secrets: { t: { environment: TSBOX_NO_SUCH } }', /\$TSBOX_NO_SUCH is not set/],
      ['configs: [t]', 'configs: { t: { file: ./none } }', /none: ENOENT/],
      ['mounts: [{ volume: d, target: /run/x }]', 'volumes: { d: { path: ./none } }', /there is no directory .*\/none/],
      ['mounts: [{ volume: d, target: /run/x }]', 'volumes: { d: { external: a/b } }', /the volume a\/b/],
    ];
    for (const [container, rest, message] of cases) {
      const file = box.write('bad.yaml', stack(container, rest));
      const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
      assert.is(applied.code, 1);
      assert.match(applied.stderr, message);
      assert.not.ok(existsSync(box.cgroupDir('unified', STACK)), 'nothing was made');
    }
  });
});

test('to declare what a container has without being told is no drift', async () => {
  await withBox(async ({ box, apply, pid }) => {
    await apply(stack(''));
    const first = await pid();
    const more = 'mounts: [{ proc: /proc, hidepid: invisible }]\nsysctls: { net.ipv4.ip_forward: 1 }';
    const file = box.write('stack.yaml', stack(more));
    const refreshed = await box.tsbox('plan', '-f', file, '--refresh-only', '--detailed-exitcode');
    assert.is(refreshed.code, 0, refreshed.stdout);
    const applied = await box.tsbox('apply', '-f', file, '--auto-approve', '--on-drift', 'fail');
    assert.is(applied.code, 0, applied.stderr);
    assert.match(applied.stdout, /Drift: none/);
    assert.is(await pid(), first);
    assert.ok(at(first, '/proc').superOptions.includes('hidepid=invisible'));
  });
});

test.run();
