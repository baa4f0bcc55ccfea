/** Rolling replacement: how many are down at once, who goes first, and what a failure leaves. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { COMMAND, lastApply, mostAtOnce, pids, stack, withStack } from '../support/rolling.ts';
import { startTime } from '../support/sandbox.ts';

test('one at a time by default: each is up before the next is ended', async () => {
  await withStack(stack(COMMAND, '{ settle: 200ms }'), async (box) => {
    const before = await pids(box);
    assert.is(mostAtOnce(lastApply(box)), 4, 'made side by side');
    const plan = (await box.tsbox('plan', '--var', 'version=two')).stdout;
    assert.match(plan, /^-\/\+ container\/web\[0\.\.3\] +replaced {3}# rolling, 1 at a time\n {6}~ env/m);
    const events = (await box.tsbox('plan', '--json', '--var', 'version=two')).stdout.trimEnd().split('\n');
    const addresses = events
      .map((l) => JSON.parse(l) as { type: string; change?: { resource: { addr: string; resource_key: number } } })
      .flatMap((e) => (e.type === 'planned_change' ? [e.change?.resource] : []));
    assert.equal(
      addresses.map((r) => [r?.addr, r?.resource_key]),
      [0, 1, 2, 3].map((i) => [`tsbox_container.web[${i}]`, i]),
    );
    assert.is((await box.tsbox('apply', '--auto-approve', '--var', 'version=two')).code, 0);
    const lines = lastApply(box);
    assert.is(mostAtOnce(lines), 1);
    assert.equal(
      lines.filter((l) => l.event === 'begin').map((l) => l.address),
      [0, 1, 2, 3].map((i) => `container/web[${i}]`),
    );
    const after = await pids(box);
    for (const [name, pid] of after) {
      assert.is.not(pid, before.get(name));
      assert.ok(readFileSync(`/proc/${pid}/environ`, 'utf8').includes('VERSION=two'));
    }
    assert.is((await box.tsbox('plan', '--detailed-exitcode', '--var', 'version=two')).code, 0);
  });
});

test('a share of them at a time', async () => {
  await withStack(stack(COMMAND, '{ settle: 300ms, max_unavailable: 50% }'), async (box) => {
    assert.is((await box.tsbox('apply', '--auto-approve', '--var', 'version=two')).code, 0);
    assert.is(mostAtOnce(lastApply(box)), 2);
  });
});

test('one that does not come up stops the rest, which stay as they were; the plan shows them', async () => {
  await withStack(stack(COMMAND, '{ settle: 300ms }'), async (box) => {
    const before = new Map([...(await pids(box))].map(([name, pid]) => [name, startTime(pid)]));
    const { code, stderr } = await box.tsbox('apply', '--auto-approve', '--var', 'version=third');
    assert.is(code, 4, stderr);
    assert.match(stderr, 'container/web[2]: failed to wait until container/web[2] is up');
    assert.match(stderr, 'it ended within 300ms of its start, with exit code 9');
    assert.match(stderr, 'Not started: container/web[3]');
    const after = await pids(box);
    assert.is(startTime(after.get('web[3]') ?? 0), before.get('web[3]'), 'the last one went on');
    assert.is.not(startTime(after.get('web[0]') ?? 0), before.get('web[0]'));
    const plan = (await box.tsbox('plan', '--var', 'version=third')).stdout;
    assert.not.match(plan, /web\[0\]/);
    assert.match(plan, /! container\/web\[2\]/);
    assert.match(plan, /-\/\+ container\/web\[3\]/);
    // What is down comes up first, before any other is ended.
    assert.is((await box.tsbox('apply', '--auto-approve', '--var', 'version=four')).code, 0);
    assert.is(lastApply(box).find((l) => l.event === 'begin')?.address, 'container/web[2]');
  });
});

test('on_failure: continue goes on with the others', async () => {
  await withStack(stack(COMMAND, '{ settle: 1s, on_failure: continue }'), async (box) => {
    const { code, stderr } = await box.tsbox('apply', '--auto-approve', '--var', 'version=bad');
    assert.is(code, 1, stderr);
    assert.not.match(stderr, 'Not started');
    assert.equal([...(await pids(box)).values()], [0, 0, 0, 0]);
  });
});

test('where there is a health check, each has to be healthy before the next is ended', async () => {
  const command = '[ $VERSION = sick ] || touch /tmp/fine; exec sleep infinity';
  const check = '{ settle: 0s }\n    healthcheck: { file: /tmp/fine, interval: 200ms, retries: 2 }';
  await withStack(stack(command, check), async (box) => {
    assert.is((await box.tsbox('apply', '--auto-approve', '--var', 'version=two')).code, 0);
    assert.is(mostAtOnce(lastApply(box)), 1);
    const before = startTime((await pids(box)).get('web[1]') ?? 0);
    const { code, stderr } = await box.tsbox('apply', '--auto-approve', '--var', 'version=sick');
    assert.is(code, 1, stderr);
    assert.match(stderr, 'container/web[0] had to be healthy first, but is unhealthy');
    assert.is(startTime((await pids(box)).get('web[1]') ?? 0), before, 'the others went on');
  });
});

test.run();
