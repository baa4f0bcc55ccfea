/** A core scheduling group of one's own, read by prctl(2) itself; where there is none, that and why is said. */
import { execFileSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { pidsOf } from '../support/namespaces.ts';
import { sandbox, startTime } from '../support/sandbox.ts';

const STACK = 'cores';
const YAML = `
tsbox: 1
name: ${STACK}
containers:
  alone: { command: [sleep, "1000"], core_sched: true, stop_grace_period: 0s }
  plain: { command: [sleep, "1000"], stop_grace_period: 0s }
`;

/** PR_SCHED_CORE (62) with GET (0) or SHARE_TO (2): the cookie of a process, or the errno. */
function prctl(what: 'get' | 'share_to', pid: number): string {
  const script = `
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
cookie = ctypes.c_ulong(0)
pointer = ctypes.byref(cookie) if ${what === 'get' ? 'True' : 'False'} else 0
if libc.prctl(62, ${what === 'get' ? 0 : 2}, ${pid}, 0, pointer) < 0: print('errno', ctypes.get_errno())
else: print(cookie.value)`;
  return execFileSync('python3', ['-c', script], { encoding: 'utf8' }).trim();
}

test('a group of its own: for the program and what joins it, lost by hand, healed by a restart', async () => {
  const before = await snapshot();
  const box = await sandbox(STACK);
  const file = box.write('stack.yaml', YAML);
  const run = async (code: number, ...args: string[]): Promise<string> => {
    const result = await box.tsbox(...args);
    assert.is(result.code, code, `${args.join(' ')}: ${result.stdout}${result.stderr}`);
    return result.stdout + result.stderr;
  };
  try {
    const own = prctl('get', process.pid);
    if (own.startsWith('errno')) {
      const why =
        own === 'errno 19' ? 'no core of this machine runs two threads at once' : 'this kernel has no core scheduling';
      assert.match(await run(1, 'apply', '-f', file, '-y'), `container/alone: ${why}`);
      assert.match(await run(0, 'doctor'), why);
      return;
    }
    assert.is(own, '0');
    await run(0, 'apply', '-f', file, '-y');
    assert.match(await run(0, 'plan', '-f', file), 'No changes');
    const { alone = 0, plain = 0 } = await pidsOf(box, STACK);
    const cookie = prctl('get', alone);
    assert.match(cookie, /^[1-9]\d*$/);
    assert.is(prctl('get', plain), '0');
    const inside = `import ctypes; c = ctypes.c_ulong(0); ctypes.CDLL(None).prctl(62, 0, 0, 0, ctypes.byref(c)); print(c.value)`;
    assert.is((await run(0, 'exec', `${STACK}:alone`, '--', 'python3', '-c', inside)).trim(), cookie);

    // Given the group of who asks: none.
    prctl('share_to', alone);
    assert.is(prctl('get', alone), '0');
    assert.match(await run(2, 'drift', '-f', file), /core_sched.*own.*shared/);
    const began = startTime(alone);
    await run(0, 'apply', '-f', file, '-y');
    const { alone: again = 0 } = await pidsOf(box, STACK);
    assert.ok(again !== alone || startTime(again) !== began);
    assert.match(prctl('get', again), /^[1-9]\d*$/);
    await run(0, 'destroy', '-f', file, '-y');
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
});

test.run();
