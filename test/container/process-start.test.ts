/** What a process is started with, read in /proc: ids, capabilities, umask, personality, keyring, environment. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { procStatus, sandbox, type Sandbox } from '../support/sandbox.ts';

const STACK = 'start';

const stack = (containers: string): string => `tsbox: 1\nname: ${STACK}\ncontainers:\n${containers}`;

async function withBox(
  body: (box: Sandbox, run: (...args: string[]) => Promise<string>) => Promise<void>,
): Promise<void> {
  const before = await snapshot();
  const box = await sandbox(STACK);
  try {
    await body(box, async (...args) => {
      const { code, stdout, stderr } = await box.tsbox(...args);
      assert.is(code, 0, stdout + stderr);
      return stdout;
    });
    assert.is((await box.tsbox('destroy', '-f', join(box.dir, 'stack.yaml'), '-y')).code, 0);
    assertNoLeaks(before, await snapshot());
  } finally {
    await box.cleanup();
  }
}

const pidOf = (box: Sandbox, name: string): number =>
  Number(
    readFileSync(`${box.cgroupDir('unified', `${STACK}/${name}`)}/cgroup.procs`, 'utf8')
      .trim()
      .split('\n')[0],
  );

const bits = (hex: string | undefined): number[] => {
  const mask = BigInt(`0x${hex ?? ''}`);
  return Array.from({ length: 64 }, (_, i) => i).filter((i) => ((mask >> BigInt(i)) & 1n) === 1n);
};

test('ids, five sets, umask, personality: as declared, compared, a change replaces', async () => {
  await withBox(async (box, run) => {
    const file = box.write(
      'stack.yaml',
      stack(`
  root:
    command: [sleep, "1000"]
    capabilities: [CHOWN, KILL]
    umask: 027
    group_add: [daemon, 4242]
  user:
    command: [sleep, "1000"]
    user: nobody
    umask: 0o77
    personality: { domain: linux32, flags: [addr_no_randomize] }
    capabilities: { bounding: [CHOWN, KILL, NET_RAW], permitted: [KILL, CHOWN], inheritable: [KILL], ambient: [KILL] }
`),
    );
    await run('apply', '-f', file, '-y');
    const root = procStatus(pidOf(box, 'root'));
    assert.equal(bits(root.get('CapBnd')), [0, 5]);
    assert.equal(bits(root.get('CapEff')), [0, 5]);
    assert.equal(bits(root.get('CapInh')), []);
    assert.is(root.get('Umask'), '0027');
    assert.is(root.get('Groups')?.trim(), '1 4242');
    const pid = pidOf(box, 'user');
    const user = procStatus(pid);
    assert.is(user.get('Uid'), '65534\t65534\t65534\t65534');
    assert.equal(bits(user.get('CapBnd')), [0, 5, 13]);
    for (const set of ['CapPrm', 'CapEff', 'CapInh', 'CapAmb']) {
      assert.equal(bits(user.get(set)), [5], set);
    }
    assert.is(user.get('Umask'), '0077');
    assert.is(readFileSync(`/proc/${pid}/personality`, 'utf8').trim(), '00040008');
    assert.match(await run('plan', '-f', file), 'No changes');

    // Both were taken for satisfied as long as the process had less than what is declared.
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replace('[CHOWN, KILL]\n', '[CHOWN, KILL, SETUID]\n    no_new_privs: false\n'),
    );
    const plan = await run('plan', '-f', file);
    assert.match(plan, /~ capabilities .*\n\s+\+ SETUID/);
    assert.match(plan, /no_new_privs\s+true -> false/);
    assert.match(plan, 'Replaced: 1');
    await run('apply', '-f', file, '-y');
    assert.equal(bits(procStatus(pidOf(box, 'root')).get('CapPrm')), [0, 5, 7]);
    assert.match(await run('plan', '-f', file), 'No changes');
  });
});

test('names come from the passwd of its own root', async () => {
  await withBox(async (box, run) => {
    const etc = join(box.dir, 'root', 'etc');
    mkdirSync(etc, { recursive: true });
    writeFileSync(join(etc, 'passwd'), 'app:x:1234:2345::/:/bin/sh\n');
    writeFileSync(join(etc, 'group'), 'extra:x:77:\n');
    for (const name of ['bin', 'lib', 'lib64', 'usr/bin', 'usr/lib', 'proc', 'sys', 'dev']) {
      mkdirSync(join(box.dir, 'root', name), { recursive: true });
    }
    execFileSync('cp', ['/bin/sleep', join(box.dir, 'root/bin/')]);
    const libraries = execFileSync('ldd', ['/bin/sleep'], { encoding: 'utf8' }).match(/\/\S+/g) ?? [];
    for (const library of libraries) {
      execFileSync('cp', ['--parents', '-L', library, join(box.dir, 'root')]);
    }
    const file = box.write(
      'stack.yaml',
      stack(`
  app:
    rootfs: { dir: root }
    command: [/bin/sleep, "1000"]
    user: { user: app, groups: [extra] }
`),
    );
    await run('apply', '-f', file, '-y');
    const status = procStatus(pidOf(box, 'app'));
    assert.is(status.get('Uid'), '1234\t1234\t1234\t1234');
    assert.is(status.get('Gid'), '2345\t2345\t2345\t2345');
    assert.is(status.get('Groups')?.trim(), '77');
  });
});

const KEYRING = 'import ctypes; print(ctypes.CDLL(None).syscall(250, 0, -3, 0))';

test('a session keyring of its own (shared keyrings cross containers)', async () => {
  await withBox(async (box, run) => {
    const file = box.write(
      'stack.yaml',
      stack(
        ['own', 'shared']
          .map(
            (name) => `
  ${name}:
    command: [sh, -c, ${JSON.stringify(`python3 -c '${KEYRING}'; sleep 1000`)}]
    seccomp: unconfined
    keyring: ${name === 'own'}
`,
          )
          .join(''),
      ),
    );
    // A keyring of the test's own, so that there is one to share.
    const inSession = (...args: string[]): Promise<{ stdout: string; code: number; stderr: string }> =>
      box.run('python3', [
        '-c',
        `import ctypes,os,sys; ctypes.CDLL(None).syscall(250, 1, None); ${KEYRING}; sys.stdout.flush(); os.execvp(sys.argv[1], sys.argv[1:])`,
        process.execPath,
        join(process.cwd(), 'dist/tsbox'),
        ...args,
      ]);
    const applied = await inSession('apply', '-f', file, '-y');
    assert.is(applied.code, 0, applied.stderr);
    const outside = applied.stdout.split('\n')[0];
    const seen = async (name: string): Promise<string> => {
      for (;;) {
        const text = (await run('logs', name, '--stack', STACK)).trim();
        if (text !== '') {
          return /(\d+)$/.exec(text)?.[1] ?? '';
        }
      }
    };
    assert.is(await seen('shared'), outside);
    assert.is.not(await seen('own'), outside);
    assert.match(await run('plan', '-f', file), 'No changes');
  });
});

test('environment and process: what was not started shows, what a program does to itself does not', async () => {
  await withBox(async (box, run) => {
    const file = box.write(
      'stack.yaml',
      stack(`
  plain:
    command: [sleep, "1000"]
    env: { GREETING: hello, OTHER: "1" }
  execs:
    command: [sh, -c, "umask 0; exec sleep 1000"]
    env: { GREETING: hello }
  drops:
    command: [setpriv, --reuid, "7", --clear-groups, --bounding-set=-all, sleep, "1000"]
    capabilities: [SETUID, SETGID, SETPCAP]
`),
    );
    await run('apply', '-f', file, '-y');
    assert.match(await run('plan', '-f', file), 'No changes');
    const pid = pidOf(box, 'plain');
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const start = BigInt(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[47] ?? 0);
    const environ = readFileSync(`/proc/${pid}/environ`);
    const at = environ.indexOf('GREETING=hello');
    const memory = openSync(`/proc/${pid}/mem`, 'r+');
    writeSync(memory, Buffer.from('GREETING=jello'), 0, 14, Number(start) + at);
    closeSync(memory);
    const drift = await box.tsbox('drift', '-f', file);
    assert.is(drift.code, 2, drift.stdout);
    assert.match(drift.stdout, 'jello');
    const plan = await run('plan', '-f', file);
    assert.match(plan, 'Replaced: 1');

    // The record of the run names another process of the container.
    const leaf = box.cgroupDir('unified', `${STACK}/execs`);
    const stranger = box.run(process.execPath, [
      join(process.cwd(), 'dist/tsbox'),
      'exec',
      '--stack',
      STACK,
      'execs',
      '--',
      'sleep',
      '999',
    ]);
    let other = 0;
    while (other === 0) {
      const pids = readFileSync(`${leaf}/cgroup.procs`, 'utf8').trim().split('\n').map(Number);
      other = pids.find((p) => readFileSync(`/proc/${p}/cmdline`, 'utf8').includes('999')) ?? 0;
    }
    const old = pidOf(box, 'execs');
    const time = (p: number): string => {
      const text = readFileSync(`/proc/${p}/stat`, 'utf8');
      return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
    };
    const script = `
import os,sys
d,n=sys.argv[1],'trusted.tsbox.run'
t=os.getxattr(d,n).decode()
os.setxattr(d,n,t.replace('pid=${old} start=${time(old)}','pid=${other} start=${time(other)}').encode())`;
    execFileSync('python3', ['-c', script, leaf]);
    const stolen = await run('plan', '-f', file);
    assert.match(stolen, 'sleep","999');
    await run('destroy', '-f', file, '-y');
    await stranger;
  });
});

test.run();
