/** Numbers are given again: a process or a namespace is never taken for another one that has its number. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CLI, nsInode, type Run, type Sandbox } from '../support/sandbox.ts';
import { scene } from '../support/userns.ts';
import { until } from '../support/wait.ts';

/** Runs a script as the first process of a pid namespace, where it chooses which pid is given next. */
function apart(box: Sandbox, script: string): Promise<Run> {
  const ts = 'ts() { "$NODE" "$CLI" "$@" -f "$DIR/stack.yaml" 2>&1; }';
  // Nothing else forks between the two.
  const stranger =
    'stranger() { echo $(($1 - 1)) >/proc/sys/kernel/ns_last_pid; unshare -n sleep 600 & [ $! = $1 ] && echo "again $1"; }';
  return box.run(
    'unshare',
    [
      '--pid',
      '--fork',
      '--kill-child',
      '--mount-proc',
      '--propagation',
      'private',
      'sh',
      '-c',
      `${ts}\n${stranger}\n${script}`,
    ],
    { NODE: process.execPath, CLI, DIR: box.dir },
  );
}

test("a pid that was given again: neither the container's nor the one whose namespace was joined", async () => {
  await scene(async (box) => {
    const file = join(box.dir, 'stack.yaml');
    const run = await apart(
      box,
      `
unshare -n sleep 600 & owner=$!
while [ "$(readlink /proc/$owner/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
cat >"$DIR/stack.yaml" <<EOF
tsbox: 1
name: traps
containers:
  plain: { command: [sleep, "1000"] }
  joined: { command: [sleep, "1000"], namespaces: { net: "pid:$owner" } }
EOF
ts apply -y || exit 1
pid=$(ts ps --json | sed -n '/"plain"/,/"pid"/ s/.*"pid": *\\([0-9]*\\).*/\\1/p')
supervisor=$(sed 's/.*) . //; s/ .*//' "/proc/$pid/stat")
kill -9 "$supervisor" "$pid"
kill -9 "$owner"; wait "$owner"
while [ -e "/proc/$pid" ]; do sleep 0.05; done
stranger "$pid"; first=$!
stranger "$owner"
echo "== plan"; ts plan
echo "== apply"; ts apply -y
kill -0 "$first" && echo "the stranger lives"
echo "== restart"; "$NODE" "$CLI" kill joined 2>&1; "$NODE" "$CLI" ps; ts apply -y
"$NODE" "$CLI" destroy -y --stack traps`,
    );
    const [before = '', plan = '', apply = '', restart = ''] = run.stdout.split(/^== \w+$/m);
    assert.is(before.match(/^again \d+$/gm)?.length, 2, run.stdout + run.stderr);
    assert.match(plan, /container\/plain .*(restarted|started|replaced)/, plan);
    assert.not.match(plan, 'container/joined', plan);
    assert.match(apply, 'Apply complete!', apply);
    assert.match(apply, 'the stranger lives');
    assert.match(restart, /process \d+ is not the one whose net namespace was joined before/, restart);
    assert.ok(statSync(file).isFile());
  });
});

test('a namespace that is gone is not found again in another one with its inode', async () => {
  await scene(async (box) => {
    const file = box.write('stack.yaml', 'tsbox: 1\nname: traps\nnamespaces: { bus: { type: ipc } }\n');
    const run = async (code: number, ...args: string[]): Promise<string> => {
      const result = await box.tsbox(...args, '-f', file);
      assert.is(result.code, code, result.stdout + result.stderr);
      return result.stdout;
    };
    await run(0, 'apply', '-y');
    const pin = readdirSync(box.runDir, { recursive: true })
      .map((f) => join(box.runDir, String(f)))
      .find((f) => /ipc$|bus$/.test(f) && statSync(f).isFile());
    assert.ok(pin !== undefined, String(readdirSync(box.runDir, { recursive: true })));
    const inode = `ipc:[${statSync(pin).ino}]`;
    execFileSync('umount', [pin]);
    const strangers: ChildProcess[] = [];
    try {
      // The kernel gives the lowest number that is free, once the namespace is.
      await until('the inode', async () => {
        const child = spawn('unshare', ['--ipc', 'sleep', '600'], { stdio: 'ignore' });
        strangers.push(child);
        const pid = child.pid ?? 0;
        await until('its ipc', () => nsInode(pid, 'ipc') !== nsInode(process.pid, 'ipc'));
        return nsInode(pid, 'ipc') === inode;
      });
      assert.match(await run(2, 'plan', '--detailed-exitcode'), /namespace\/bus/);
      await run(0, 'apply', '-y');
      assert.is.not(`ipc:[${statSync(pin).ino}]`, inode);
      assert.is(readlinkSync(`/proc/${strangers.at(-1)?.pid ?? 0}/ns/ipc`), inode);
      await run(0, 'destroy', '-y');
    } finally {
      strangers.forEach((s) => s.kill('SIGKILL'));
    }
  });
});

test.run();
