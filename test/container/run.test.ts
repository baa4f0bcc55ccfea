/** `run`: a command in namespaces and limits of its own, with the caller's stdio, signals and exit code; nothing stays. */
import { spawn } from 'node:child_process';
import { mkdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { busyboxLayer, writeImage } from '../support/image.ts';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { NAMESPACES, pidsOf } from '../support/namespaces.ts';
import { CLI, nsInode, sandbox } from '../support/sandbox.ts';

type Sandbox = Awaited<ReturnType<typeof sandbox>>;

const links = (text: string): string[] => text.trim().split('\n');
const LINKS = NAMESPACES.map((t) => `/proc/self/ns/${t}`);
const host = (type: string): string => nsInode(process.pid, type);

async function withBox(body: (box: Sandbox) => Promise<void>): Promise<void> {
  const before = await snapshot();
  const box = await sandbox('run');
  try {
    await body(box);
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
}

/** Runs it with something on its stdin; and a signal after its first line of output. */
function talk(
  box: Sandbox,
  args: readonly string[],
  input: string,
  signal?: NodeJS.Signals,
): Promise<{ code: number; stdout: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CLI, ...args], {
      env: box.env,
      cwd: box.dir,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let stdout = '';
    child.stdout.on('data', (d: Buffer) => {
      if (stdout === '' && signal !== undefined) {
        child.kill(signal);
      }
      stdout += d.toString();
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? -1, stdout }));
    child.stdin.end(input);
  });
}

test('only the named namespaces are new; stdio, exit code; nothing stays', () =>
  withBox(async (box) => {
    const some = await box.tsbox('run', '--namespaces', 'net,uts', '--', 'readlink', ...LINKS);
    assert.is(some.code, 0, some.stderr);
    const seen = links(some.stdout);
    NAMESPACES.forEach((t, i) => assert.is(seen[i] === host(t), t !== 'net' && t !== 'uts', t));
    const all = await box.tsbox('run', '--', 'readlink', ...LINKS);
    NAMESPACES.forEach((t, i) => assert.is(links(all.stdout)[i] === host(t), t === 'user' || t === 'time', t));
    const echoed = await talk(box, ['run', '--env', 'A=$B', '--', 'sh', '-c', 'cat; echo "$A"; exit 7'], 'hello\n');
    assert.equal(echoed, { code: 7, stdout: 'hello\n$B\n' });
    assert.is((await box.tsbox('ps', '--json')).stdout.trim(), '[]');
  }));

test('options: limits, user, root, host name, parameters', () =>
  withBox(async (box) => {
    const ran = await box.tsbox(
      'run', '--memory', '64MiB', '--pids', '50', '--user', '65534:65534', '--workdir', '/tmp', '--hostname', 'odd',
      '--sysctl', 'net.ipv4.ip_forward=1', '--capabilities', 'CHOWN,NET_RAW',
      '--', 'sh', '-c', 'id -u; pwd; hostname; cat /proc/sys/net/ipv4/ip_forward; grep CapBnd /proc/self/status; cat /proc/self/cgroup',
    ); // prettier-ignore
    assert.is(ran.code, 0, ran.stderr);
    const [uid, cwd, name, forward, caps, ...groups] = links(ran.stdout);
    assert.equal([uid, cwd, name, forward], ['65534', '/tmp', 'odd', '1']);
    assert.match(caps ?? '', '0000000000002001');
    assert.ok(
      groups.every((g) => g.endsWith(':/')),
      ran.stdout,
    );
  }));

test('an image, and mounts in one word', () =>
  withBox(async (box) => {
    const layout = join(box.dir, 'layout');
    writeImage(layout, 'v1', [{ tar: busyboxLayer(join(box.dir, 'made')) }], { Cmd: ['/bin/echo', 'its own'] });
    mkdirSync(join(box.dir, 'data'));
    writeFileSync(join(box.dir, 'data/a'), 'from outside\n');
    const image = ['run', '--image', `oci:${layout}:v1`];
    const own = await box.tsbox(...image);
    assert.equal([own.code, own.stdout], [0, 'its own\n'], own.stderr);
    const seen = await box.tsbox(
      ...image, '--mount', 'bind:./data,target=/data,readonly', '--mount', 'tmpfs:/work,size=64KiB,mode=0700,noexec',
      '--', '/bin/sh', '-c', 'cat /data/a; touch /data/b || echo refused; grep " /work " /proc/self/mountinfo',
    ); // prettier-ignore
    assert.is(seen.code, 0, seen.stderr);
    assert.match(seen.stdout, /^from outside\nrefused\n.* rw,nosuid,nodev,noexec.* - tmpfs .*size=64k,mode=700/);
    for (const [wanted, ...args] of [
      ['is not KIND:WHAT', '--mount', 'data'],
      ["'targt'", '--mount', 'bind:./data,targt=/data'],
      ['both say what it sees', '--image', 'oci:x', '--rootfs', 'host'],
    ]) {
      const refused = await box.tsbox('run', ...args, '--', 'true');
      assert.is(refused.code, 125);
      assert.match(refused.stderr, wanted ?? '');
    }
  }));

test('signals are passed on; what fails says so in its code', () =>
  withBox(async (box) => {
    const script = 'trap "echo got it; exit 3" TERM; echo ready; while :; do sleep 0.1; done';
    assert.equal(await talk(box, ['run', '--', 'sh', '-c', script], '', 'SIGTERM'), {
      code: 3,
      stdout: 'ready\ngot it\n',
    });
    const killed = await box.tsbox('run', '--namespaces', 'mnt', '--', 'sh', '-c', 'kill -KILL $$');
    assert.is(killed.code, 137);
    const missing = await box.tsbox('run', '--', 'no-such-program');
    assert.is(missing.code, 127, missing.stderr);
    assert.is((await box.tsbox('run', '--', '/etc/passwd')).code, 126);
    const refused = await box.tsbox('run', '--memory', 'lots', '--', 'true');
    assert.is(refused.code, 125);
    assert.match(refused.stderr, "'lots'");
    assert.is((await box.tsbox('run', '--detach', '--rm', '--', 'true')).code, 125);
  }));

test('a terminal of its own', () =>
  withBox(async (box) => {
    const ran = await box.run('script', [
      '-qec',
      `${process.execPath} ${CLI} run --tty -- sh -c 'tty; exit 4'`,
      '/dev/null',
    ]);
    assert.is(ran.code, 4, ran.stdout + ran.stderr);
    assert.match(ran.stdout, '/dev/pts/');
  }));

test('detached ones stay, are listed, and can be joined', () =>
  withBox(async (box) => {
    const began = await box.tsbox('run', '--detach', '--name', 'server', '--', 'sleep', '600');
    assert.is(began.code, 0, began.stderr);
    assert.is(began.stdout, 'server\n');
    const { main = 0 } = await pidsOf(box, 'server');
    assert.is.not(main, 0);
    assert.is((await box.tsbox('run', '--name', 'server', '--', 'true')).code, 125);
    const joined = await box.tsbox(
      'run',
      '--share',
      'server:main:net,pid',
      '--namespaces',
      'mnt',
      '--',
      'readlink',
      ...LINKS,
    );
    assert.is(joined.code, 0, joined.stderr);
    NAMESPACES.forEach((t, i) => {
      const expected = t === 'net' || t === 'pid' ? readlinkSync(`/proc/${main}/ns/${t}`) : host(t);
      assert.is(links(joined.stdout)[i] === expected, t !== 'mnt', t);
    });
    assert.is((await box.tsbox('destroy', '--stack', 'server', '--auto-approve')).code, 0);
  }));

test.run();
