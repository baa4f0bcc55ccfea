/** What a process asks for itself before its program runs: Landlock, memory policy; and what this kernel has not. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openReader } from '../../src/kernel/reader.ts';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { sandbox, type Sandbox } from '../support/sandbox.ts';

const STACK = 'confine';
const reader = openReader(process.env);

async function withBox(body: (box: Sandbox, file: string) => Promise<void>): Promise<void> {
  const before = await snapshot();
  const box = await sandbox(STACK);
  const file = join(box.dir, 'stack.yaml');
  try {
    await body(box, file);
    assert.is((await box.tsbox('destroy', '-f', file, '-y')).code, 0);
    assertNoLeaks(before, await snapshot());
  } finally {
    await box.cleanup();
  }
}

const pidOf = (box: Sandbox, name: string): string =>
  readFileSync(`${box.cgroupDir('unified', `${STACK}/${name}`)}/cgroup.procs`, 'utf8')
    .trim()
    .split('\n')[0] ?? '';

/** Tries things and says on one line which of them worked; its end is waited for. */
const TRY = `t() { if "$@" 2>/dev/null; then echo "$* ok"; else echo "$* no"; fi; }`;

const stack = (containers: string): string => `tsbox: 1\nname: ${STACK}\ncontainers:\n${containers}`;

test('Landlock and memory policy: files, ports, scopes, nodes; for the program, an exec and after a restart', async () => {
  if (reader.landlockAbi() < 6) {
    console.log(`skipped: Landlock ${reader.landlockAbi()}`);
    return;
  }
  await withBox(async (box, file) => {
    mkdirSync(join(box.dir, 'data'));
    mkdirSync(join(box.dir, 'other'));
    writeFileSync(
      file,
      stack(`
  web:
    init: true
    user: nobody
    command:
      - python3
      - -c
      - |
        import os, socket, time
        def t(name, f):
          try: f(); print(name, 'ok', flush=True)
          except OSError as e: print(name, os.strerror(e.errno), flush=True)
        def bind(port):
          s = socket.socket(); s.bind(('127.0.0.1', port))
        def connect(port):
          s = socket.socket(); s.connect(('127.0.0.1', port))
        t('write data', lambda: open('/mnt/x', 'w'))
        t('write tmp', lambda: open('/tmp/x', 'w'))
        t('read passwd', lambda: open('/etc/passwd'))
        t('read group', lambda: open('/etc/group'))
        t('exec', lambda: os.posix_spawn('/bin/true', ['true'], {}))
        t('bind 8080', lambda: bind(8080))
        t('bind 8081', lambda: bind(8081))
        t('connect 9', lambda: connect(9))
        t('signal parent', lambda: os.kill(os.getppid(), 0))
        print('done', flush=True)
        time.sleep(1000)
    mounts: [{ bind: ./data, target: /mnt }]
    landlock:
      files:
        /usr: [read, execute]
        /etc/passwd: read
        /mnt: [read, write]
        /dev: [read_file, write_file]
      tcp: { bind: [8080], connect: [] }
      scopes: [signal, abstract_unix_socket]
    memory_policy: { mode: bind, nodes: 0, flags: [static_nodes] }
`),
    );
    execFileSync('chmod', ['777', join(box.dir, 'data')]);
    const applied = await box.tsbox('apply', '-f', file, '-y');
    assert.is(applied.code, 0, applied.stdout + applied.stderr);
    assert.match((await box.tsbox('plan', '-f', file)).stdout, 'No changes');
    let said = '';
    for (let i = 0; i < 50 && !said.includes('done'); i++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      said = (await box.tsbox('logs', '-f', file, 'web')).stdout;
    }
    for (const line of [
      'write data ok',
      'write tmp Permission denied',
      'read passwd ok',
      'read group Permission denied',
      'exec ok',
      'bind 8080 ok',
      'bind 8081 Permission denied',
      'connect 9 Permission denied',
    ]) {
      assert.match(said, line);
    }
    const inside = await box.tsbox('exec', 'container/web', '--stack', STACK, '--', '/bin/cat', '/etc/group');
    assert.match(inside.stderr, 'Permission denied');
    assert.is((await box.tsbox('exec', 'container/web', '--stack', STACK, '--', '/bin/cat', '/etc/passwd')).code, 0);

    assert.match(readFileSync(`/proc/${pidOf(box, 'web')}/numa_maps`, 'utf8'), /^[0-9a-f]+ bind=static:0 .*stack/m);
    // What the kernel cannot show is compared with the record, and costs a restart.
    const pid = pidOf(box, 'web');
    writeFileSync(file, readFileSync(file, 'utf8').replace('/etc/passwd: read', '/etc/group: read'));
    const plan = await box.tsbox('plan', '-f', file);
    assert.match(plan.stdout, /landlock/);
    assert.match(plan.stdout, /files \/etc\/group/);
    assert.is((await box.tsbox('apply', '-f', file, '-y')).code, 0);
    assert.is.not(pidOf(box, 'web'), pid);
    assert.is((await box.tsbox('exec', 'container/web', '--stack', STACK, '--', '/bin/cat', '/etc/group')).code, 0);
  });
});

test('Landlock without no_new_privs; a link of the container leads nowhere outside; a path that is not there', async () => {
  if (reader.landlockAbi() < 5) {
    return;
  }
  await withBox(async (box, file) => {
    mkdirSync(join(box.dir, 'data'));
    // Through a magic link the rule would be about the host's files.
    execFileSync('ln', ['-s', '/proc/self/root/etc', join(box.dir, 'data', 'link')]);
    const one = (more: string): string =>
      stack(`
  a:
    command: [sleep, "1000"]
    mounts: [{ bind: ./data, target: /mnt }]
    landlock: { files: { /: [read, execute], /dev/null: write, ${more} } }
    no_new_privs: false
    seccomp: unconfined
`);
    writeFileSync(file, one('/mnt/link: write'));
    assert.match((await box.tsbox('apply', '-f', file, '-y')).stderr, /landlock \/mnt\/link.*ELOOP/s);
    writeFileSync(file, one('/absent: write'));
    assert.match((await box.tsbox('apply', '-f', file, '-y')).stderr, /landlock \/absent.*ENOENT/s);
    writeFileSync(file, one('/tmp: all'));
    const applied = await box.tsbox('apply', '-f', file, '-y');
    assert.is(applied.code, 0, applied.stderr);
    const tried = await box.tsbox(
      'exec',
      'container/a',
      '--stack',
      STACK,
      '--',
      '/bin/sh',
      '-c',
      `${TRY}; t touch /tmp/x; t touch /dev/shm/x; t truncate -s 0 /mnt/x`,
    );
    assert.is(tried.stdout, 'touch /tmp/x ok\ntouch /dev/shm/x no\ntruncate -s 0 /mnt/x no\n');
  });
});

test('what the kernel has not is told at plan time', async () => {
  await withBox(async (box, file) => {
    const modules = {
      apparmor: existsSync('/sys/module/apparmor/parameters/enabled'),
      selinux: /\bselinuxfs\b/.test(readFileSync('/proc/filesystems', 'utf8')),
    };
    for (const [key, there] of Object.entries(modules)) {
      writeFileSync(file, stack(`  a:\n    command: [sleep, "1000"]\n    ${key}: some_label\n`));
      const plan = await box.tsbox('plan', '-f', file);
      if (!there) {
        assert.is(plan.code, 1, key);
        assert.match(plan.stderr, /is not enabled in this kernel/);
        assert.match(plan.stderr, `${file}:6:`);
      }
    }
    writeFileSync(
      file,
      stack('  a: { command: [sleep, "1000"], core_sched: true, memory_policy: { mode: bind, nodes: 900 } }\n'),
    );
    const plan = await box.tsbox('plan', '-f', file);
    const core = (reader.scheduling([process.pid])[0] as { core: string | number }).core;
    assert.is(plan.code, 1);
    assert.match(plan.stderr, /memory node 900 is not there/);
    if (typeof core === 'number') {
      assert.match(plan.stderr, core === -19 ? /two threads at once/ : /has no core scheduling/);
    }
    const doctor = await box.tsbox('doctor');
    assert.match(doctor.stdout, /Landlock +/);
    assert.match(doctor.stdout, /AppArmor +/);
    assert.match(doctor.stdout, /SELinux +/);
    assert.match(doctor.stdout, /core scheduling +/);
    writeFileSync(file, stack('  a: { command: [sleep, "1000"] }\n'));
  });
});

test.run();
