/** Idmapped binds and volumes: whose the files are, seen from inside and, by stat, from the host. */
import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseMountInfo } from '../../src/kernel/proc.ts';
import type { Sandbox } from '../support/sandbox.ts';
import { applied, destroyed, mappedScene as scene, pidsOf } from '../support/userns.ts';

const USER = 'namespaces: { user: { uids: [{ inside: 0, outside: 300000, count: 65536 }] } }';

function stack(mounts: string, options: { user?: string; rest?: string } = {}): string {
  return `tsbox: 1
name: idmounts
${options.rest ?? ''}
containers:
  app:
    command: [sleep, infinity]
    ${options.user ?? USER}
    mounts:
${mounts.replace(/^/gm, '      ')}
`;
}

async function pidOf(box: Sandbox): Promise<number> {
  return (await pidsOf(box, 'idmounts'))['app'] ?? 0;
}

function optionsAt(pid: number, target: string): readonly string[] {
  const found = parseMountInfo(readFileSync(`/proc/${pid}/mountinfo`, 'utf8')).filter((m) => m.target === target);
  assert.is(found.length, 1, `${found.length} mounts on ${target}`);
  return found[0]?.options ?? [];
}

async function inside(box: Sandbox, ...argv: string[]): Promise<string> {
  const run = await box.tsbox('exec', 'container/idmounts:app', '--', ...argv);
  assert.is(run.code, 0, run.stderr);
  return run.stdout.trim();
}

/** A directory of root with a file of user 1000. */
function makeSource(box: Sandbox): string {
  const dir = join(box.dir, 'src');
  mkdirSync(dir);
  writeFileSync(join(dir, 'theirs'), '');
  chownSync(join(dir, 'theirs'), 1000, 1000);
  return dir;
}

test("idmap: true shows the ids of the container's user namespace, and writes go to the disk by the same", async () => {
  await scene(async (box) => {
    const dir = makeSource(box);
    const file = box.write(
      'stack.yaml',
      stack(
        `- { bind: ./src, target: /run/mapped, idmap: true }
- { bind: ./src, target: /run/plain }
- { volume: data, target: /run/data, idmap: true }`,
        { rest: 'volumes: { data: {} }' },
      ),
    );
    await applied(box, file);
    const pid = await pidOf(box);
    assert.is(
      await inside(box, 'stat', '-c', '%u', '/run/mapped', '/run/mapped/theirs', '/run/plain'),
      '0\n1000\n65534',
    );
    await inside(box, 'touch', '/run/mapped/mine', '/run/data/mine');
    assert.is(statSync(join(dir, 'mine')).uid, 0, 'root inside is root on disk');
    assert.is(statSync(`/proc/${pid}/root/run/mapped/mine`).uid, 300000, 'and the mapped id through the mount');
    assert.is(statSync(`/proc/${pid}/root/run/data/mine`).uid, 300000);
    for (const [target, is] of [
      ['/run/mapped', true],
      ['/run/data', true],
      ['/run/plain', false],
    ] as const) {
      assert.is(optionsAt(pid, target).includes('idmapped'), is, target);
    }
    const denied = await box.tsbox('exec', 'container/idmounts:app', '--', 'touch', '/run/plain/x');
    assert.is.not(denied.code, 0, 'without idmap the directory of root is not writable');
    const gone = await box.tsbox('destroy', '-f', file, '--volumes', '--auto-approve');
    assert.is(gone.code, 0, gone.stderr);
  });
});

test('maps of its own need no user namespace, and a change of them is another mount in the same place', async () => {
  await scene(async (box) => {
    const dir = makeSource(box);
    const own = (outside: number): string =>
      stack(
        `- { bind: ./src, target: /run/src, idmap: { uids: [{ inside: 1000, outside: ${outside}, count: 10 }] } }`,
        {
          user: 'user: "0:0"',
        },
      );
    const file = box.write('stack.yaml', own(0));
    await applied(box, file);
    const pid = await pidOf(box);
    assert.is(await inside(box, 'stat', '-c', '%u:%g', '/run/src/theirs', '/run/src'), '0:0\n65534:65534');
    const refused = await box.tsbox('exec', 'container/idmounts:app', '--', 'touch', '/run/src/x');
    assert.is.not(refused.code, 0, 'an id that is not mapped owns the directory');
    chownSync(dir, 1000, 1000);
    await inside(box, 'touch', '/run/src/mine');
    assert.is(statSync(join(dir, 'mine')).uid, 1000);
    box.write('stack.yaml', own(2000));
    const changed = await applied(box, file);
    assert.not.match(changed.stdout, /restart|replace/);
    assert.is(await pidOf(box), pid, 'the process is the same');
    assert.is(await inside(box, 'stat', '-c', '%u', '/run/src/theirs'), '2000');
    box.write('stack.yaml', stack('- { bind: ./src, target: /run/src }', { user: 'user: "0:0"' }));
    await applied(box, file);
    assert.is(await pidOf(box), pid);
    assert.is(await inside(box, 'stat', '-c', '%u', '/run/src/theirs'), '1000');
    assert.not.ok(optionsAt(pid, '/run/src').includes('idmapped'));
    await destroyed(box, file);
  });
});

test('idmap in a running container with a user namespace: put there, taken off and replaced by hand, healed', async () => {
  await scene(async (box) => {
    const dir = makeSource(box);
    const plain = '- { bind: ./src, target: /run/plain }\n';
    const file = box.write('stack.yaml', stack(`${plain}- { bind: ./src, target: /run/src }`));
    await applied(box, file);
    const pid = await pidOf(box);
    assert.not.ok(optionsAt(pid, '/run/src').includes('idmapped'));
    box.write('stack.yaml', stack(`${plain}- { bind: ./src, target: /run/src, idmap: true }`));
    await applied(box, file);
    assert.is(await pidOf(box), pid, 'changed in place');
    assert.ok(optionsAt(pid, '/run/src').includes('idmapped'));
    assert.is(await inside(box, 'stat', '-c', '%u', '/run/src'), '0');
    // By hand: the same directory with the same flags, but with its ids as they are.
    const script = 'umount /run/src && mount --bind /run/plain /run/src';
    execFileSync('nsenter', ['-t', String(pid), '-m', 'sh', '-c', script]);
    assert.not.ok(optionsAt(pid, '/run/src').includes('idmapped'));
    const plan = await box.tsbox('plan', '-f', file, '--detailed-exitcode');
    assert.is(plan.code, 2, plan.stdout + plan.stderr);
    assert.match(plan.stdout, /mounts.*\/run\/src|\/run\/src.*idmap/s);
    await applied(box, file);
    assert.ok(optionsAt(pid, '/run/src').includes('idmapped'));
    assert.is(await pidOf(box), pid);
    await destroyed(box, file);
    assert.ok(existsSync(dir));
  });
});

test('what cannot be idmapped is an error of the plan at its place', async () => {
  await scene(async (box) => {
    makeSource(box);
    const planned = async (text: string): Promise<string> => {
      const run = await box.tsbox('plan', '-f', box.write('stack.yaml', text));
      assert.is(run.code, 1, run.stdout);
      return run.stderr;
    };
    const none = await planned(stack('- { bind: ./src, target: /run/src, idmap: true }', { user: 'user: "0:0"' }));
    assert.match(none, /error\[TSB1009\]: container\/app: \/run\/src cannot be idmapped: the container has no user/);
    assert.match(none, /stack\.yaml:9:\d+/);
    const sysfs = await planned(stack('- { bind: /sys/kernel, target: /run/src, recursive: false, idmap: true }'));
    assert.match(sysfs, /error\[TSB1009\]: container\/app: \/sys\/kernel is on sysfs, whose mounts \S+ does not idmap/);
    mkdirSync(join(box.dir, 'src/below'));
    execFileSync('mount', ['-t', 'proc', 'proc', join(box.dir, 'src/below')]);
    const below = await planned(stack('- { bind: ./src, target: /run/src, idmap: true }')).finally(() =>
      execFileSync('umount', [join(box.dir, 'src/below')]),
    );
    assert.match(below, /whose mounts \S+ does not idmap/);
    assert.match(below, /recursive: false leaves out what is mounted below/);
    const bad = await planned(
      stack('- { bind: ./src, target: /run/src, idmap: { uids: [{ inside: 0, outside: 1, count: 0 }] } }'),
    );
    assert.match(bad, /a map of 0 ids maps nothing/);
  });
});

test.run();
