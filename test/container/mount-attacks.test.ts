/**
 * Attacks by way of mounts, mounted for real: each has the public record it is taken from in its name. What is asserted
 * is what the host has afterwards, and what is really behind a path in the container.
 */
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseMountInfo } from '../../src/kernel/proc.ts';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { sandbox, type Run } from '../support/sandbox.ts';

type Sandbox = Awaited<ReturnType<typeof sandbox>>;

const STACK = 'attacked';

interface Scene {
  readonly box: Sandbox;
  /** The container's root, as whoever made the image left it. */
  readonly root: string;
  /** A directory of the host that nobody may reach. */
  readonly victim: string;
  apply(container: string, rest?: string): Promise<Run>;
  pid(): Promise<number>;
}

async function scene(body: (scene: Scene) => Promise<void>): Promise<void> {
  const before = await snapshot();
  const box = await sandbox('attacks');
  const root = join(box.dir, 'root');
  const victim = join(box.dir, 'victim');
  try {
    for (const directory of ['bin', 'etc', 'data']) {
      mkdirSync(join(root, directory), { recursive: true });
    }
    mkdirSync(victim);
    copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
    chmodSync(join(root, 'bin/busybox'), 0o755);
    await body({
      box,
      root,
      victim,
      apply(container, rest = '') {
        const file = box.write(
          'stack.yaml',
          `tsbox: 1\nname: ${STACK}\n${rest}\ncontainers:\n  app:\n    command: [/bin/busybox, sleep, "1000000"]\n    stop_signal: KILL\n    rootfs: { dir: ./root, overlay: false }\n${container.replace(/^/gm, '    ')}\n`,
        );
        return box.tsbox('apply', '-f', file, '--auto-approve');
      },
      async pid() {
        const { stdout } = await box.tsbox('ps', '--json', '--stack', STACK);
        return (JSON.parse(stdout) as Array<{ pid: number | null }>)[0]?.pid ?? 0;
      },
    });
    assert.equal(readdirSync(victim), [], 'nothing was made on the host');
    const reached = parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8')).filter((m) =>
      m.target.startsWith(box.dir),
    );
    assert.equal(reached, [], 'nothing was mounted on the host');
    await box.tsbox('destroy', '--stack', STACK, '--volumes', '--auto-approve');
    assertNoLeaks(before, await snapshot());
  } finally {
    await box.cleanup();
  }
}

function targets(pid: number): string[] {
  return parseMountInfo(readFileSync(`/proc/${pid}/mountinfo`, 'utf8')).map((m) => m.target);
}

test('CVE-2021-30465: a target that is a link to the host is resolved within the root', async () => {
  await scene(async ({ root, victim, apply, pid }) => {
    mkdirSync(join(root, victim), { recursive: true });
    symlinkSync(victim, join(root, 'link'));
    symlinkSync('../../../../../../..' + victim, join(root, 'up'));
    const applied = await apply('mounts: [{ tmpfs: /link/a }, { tmpfs: /up/b }]');
    // Read back, the mounts are not on the paths that were declared, and that is told.
    assert.is.not(applied.code, 0);
    const there = targets(await pid());
    assert.ok(there.includes(`${victim}/a`) && there.includes(`${victim}/b`), there.join('\n'));
    assert.ok(existsSync(join(root, victim, 'a')), 'the directory was made within the root');
  });
});

test('CVE-2021-30465: a target swapped for a link while mounts are made', async () => {
  await scene(async ({ box, root, victim, apply }) => {
    mkdirSync(join(root, 'swap'));
    symlinkSync(victim, join(root, 'evil'));
    const racer = spawn(
      'python3',
      [
        '-c',
        'import ctypes,sys\nc=ctypes.CDLL(None)\na,b=[p.encode() for p in sys.argv[1:]]\nwhile True: c.renameat2(-100,a,-100,b,2)',
        join(root, 'swap'),
        join(root, 'evil'),
      ],
      { stdio: 'ignore' },
    );
    try {
      for (let round = 0; round < 4; round++) {
        await apply(
          `mounts: [{ tmpfs: /swap/${round}, size: 1MiB }, { bind: ./stack.yaml, target: /swap/file${round} }]`,
        );
        assert.equal(readdirSync(victim), [], `round ${round}`);
      }
    } finally {
      racer.kill('SIGKILL');
    }
    assert.ok(existsSync(box.dir));
  });
});

test('CVE-2019-19921, CVE-2023-27561: /proc of an image is a link to a decoy', async () => {
  await scene(async ({ root, apply }) => {
    mkdirSync(join(root, 'decoy/self'), { recursive: true });
    symlinkSync('/decoy', join(root, 'proc'));
    const applied = await apply('');
    assert.is.not(applied.code, 0);
    assert.match(applied.stderr, /mount \/proc: ELOOP/);
  });
});

test('magic links: a target by way of /proc/self/cwd', async () => {
  await scene(async ({ root, apply }) => {
    symlinkSync('/proc/self/cwd', join(root, 'magic'));
    const applied = await apply('mounts: [{ tmpfs: /magic/x }]');
    assert.is.not(applied.code, 0);
    assert.match(applied.stderr, /mount \/magic\/x: ELOOP/);
  });
});

test('CVE-2024-45310: the file made for a bind target follows no link to the host', async () => {
  await scene(async ({ root, victim, apply }) => {
    symlinkSync(join(victim, 'made'), join(root, 'etc/conf'));
    symlinkSync(victim, join(root, 'etc/dir'));
    const applied = await apply(
      'mounts: [{ bind: ./stack.yaml, target: /etc/conf }, { bind: ./stack.yaml, target: /etc/dir/deep/file }]',
    );
    assert.is.not(applied.code, 0);
    assert.not.ok(existsSync(join(victim, 'made')));
  });
});

test('CVE-2025-31133: /dev/null of the container is another file when a path is masked again', async () => {
  await scene(async ({ apply, pid }) => {
    assert.is((await apply('')).code, 0);
    const app = await pid();
    writeFileSync(`/proc/${app}/root/etc/bait`, 'bait');
    rmSync(`/proc/${app}/root/dev/null`);
    writeFileSync(`/proc/${app}/root/dev/null`, 'bait');
    execFileSync('nsenter', ['-t', String(app), '-m', '--', '/bin/busybox', 'umount', '/proc/keys']);
    const healed = await apply('');
    assert.is(healed.code, 0, healed.stderr + healed.stdout);
    assert.is(await pid(), app);
    const stat = statSync(`/proc/${app}/root/proc/keys`);
    assert.ok(stat.isCharacterDevice());
    assert.is(stat.rdev, 0x103, 'it is the null device, 1:3');
  });
});

test('CVE-2025-52881: a decoy over /proc is seen, and taken off', async () => {
  await scene(async ({ box, apply, pid }) => {
    assert.is((await apply('')).code, 0);
    const app = await pid();
    const mount = ['-t', String(app), '-m', '--', '/bin/busybox', 'mount', '-t', 'tmpfs', 'decoy', '/proc'];
    execFileSync('nsenter', mount);
    const drift = await box.tsbox('drift', '-f', join(box.dir, 'stack.yaml'));
    assert.match(drift.stdout, 'mount /proc tmpfs rw appeared');
    const healed = await apply('');
    assert.is(healed.code, 0, healed.stderr + healed.stdout);
    assert.is(await pid(), app);
    assert.is(targets(app).filter((t) => t === '/proc').length, 1);
    const refused = await apply('mounts: [{ tmpfs: /proc/sys }]');
    assert.match(refused.stderr, /\/proc\/sys would cover \/proc/);
  });
});

test('CVE-2021-25741: a path within a volume that has become a link', async () => {
  await scene(async ({ box, victim, apply }) => {
    const container = 'mounts: [{ volume: data, target: /data }]';
    assert.is((await apply(container, 'volumes: { data: }')).code, 0);
    symlinkSync(victim, join(box.dir, 'var/volumes', STACK, 'data/sub'));
    const applied = await apply(container.replace('target', 'subpath: sub, target'), 'volumes: { data: }');
    assert.is.not(applied.code, 0);
    assert.match(applied.stderr, /bind .*data: (ELOOP|EXDEV)/);
  });
});

test('nosuid and nodev: what comes by a volume or a bind has no power', async () => {
  await scene(async ({ box, root, apply, pid }) => {
    mkdirSync(join(box.dir, 'src'));
    execFileSync('mknod', [join(box.dir, 'src/device'), 'c', '1', '5']);
    copyFileSync('/bin/busybox', join(box.dir, 'src/setuid'));
    chmodSync(join(box.dir, 'src/setuid'), 0o4755);
    assert.ok(existsSync(root));
    const applied = await apply('mounts: [{ bind: ./src, target: /data }]');
    assert.is(applied.code, 0, applied.stderr);
    const app = await pid();
    const enter = (...command: string[]): string =>
      execFileSync('nsenter', ['-t', String(app), '-m', '--', ...command], { encoding: 'utf8', stdio: 'pipe' });
    assert.throws(() => enter('/bin/busybox', 'head', '-c1', '/data/device'), /Permission denied/);
    const line = parseMountInfo(readFileSync(`/proc/${app}/mountinfo`, 'utf8')).find((m) => m.target === '/data');
    assert.ok(line?.options.includes('nosuid') && line.options.includes('nodev'));
  });
});

test.run();
