/** Rolling replacement with order: start-first: none is missing, and what does not come up leaves all as it was. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { COMMAND, lastApply, pids, stack, up, withStack } from '../support/rolling.ts';
import { exists } from '../support/sandbox.ts';

test('start-first: the new one is up before the old one ends, and one that does not come up goes again', async () => {
  await withStack(stack(COMMAND, '{ settle: 500ms, order: start-first }'), async (box) => {
    const before = await pids(box);
    let least = 4;
    const looking = setInterval(() => (least = Math.min(least, up(box))), 20);
    const applied = await box.tsbox('apply', '--auto-approve', '--var', 'version=two');
    clearInterval(looking);
    assert.is(applied.code, 0, applied.stderr);
    assert.is(least, 4);
    assert.match(applied.stdout, 'rolling, 1 at a time');
    assert.match(applied.stdout, 'the new one starts before the old one ends');
    const after = await pids(box);
    assert.ok([...after].every(([name, pid]) => pid > 0 && pid !== before.get(name)));
    assert.is((await box.tsbox('plan', '--detailed-exitcode', '--var', 'version=two')).code, 0);

    const failed = await box.tsbox('apply', '--auto-approve', '--var', 'version=third');
    assert.is(failed.code, 4, failed.stderr);
    assert.match(failed.stderr, 'it ended within 500ms of its start, with exit code 9');
    assert.match(failed.stderr, 'container/web[2]: the new one was taken back, the old one goes on');
    assert.not.match(failed.stderr, /(container\/\S+): \1:/, 'its address stands there once');
    const left = await pids(box);
    assert.is(left.get('web[2]'), after.get('web[2]'));
    assert.is(left.get('web[3]'), after.get('web[3]'));
    assert.is.not(left.get('web[0]'), after.get('web[0]'));
    const plan = (await box.tsbox('plan', '--var', 'version=third')).stdout;
    assert.match(plan, /\+\/- container\/web\[2/);
    assert.not.match(plan, /another generation/);
  });
});

test('rollback: no old one ends before all new ones are up; if one is not, all is as it was', async () => {
  await withStack(
    stack(COMMAND, '{ settle: 500ms, order: start-first, on_failure: rollback, max_unavailable: 50% }'),
    async (box) => {
      const before = await pids(box);
      const failed = await box.tsbox('apply', '--auto-approve', '--var', 'version=third');
      assert.is(failed.code, 1, failed.stderr);
      assert.match(failed.stdout, /the old ones end when all new ones are up/);
      for (const i of [0, 1, 2]) {
        assert.match(failed.stderr, `container/web[${i}]: the new one was taken back, the old one goes on`);
      }
      assert.equal([...(await pids(box))], [...before]);
      assert.ok([...before.values()].every((pid) => exists(`/proc/${pid}`)));
      const same = await box.tsbox('plan', '--detailed-exitcode');
      assert.is(same.code, 0, same.stdout);

      const applied = await box.tsbox('apply', '--auto-approve', '--var', 'version=two');
      assert.is(applied.code, 0, applied.stderr);
      const lines = lastApply(box).map((l) => `${l.event} ${l.address}`);
      const firstEnd = lines.findIndex((l, n) => l.startsWith('begin') && lines.indexOf(l) < n);
      assert.is(lines.slice(0, firstEnd).filter((l) => l.startsWith('end')).length, 4, lines.join('\n'));
      assert.ok([...(await pids(box))].every(([name, pid]) => pid > 0 && pid !== before.get(name)));
      assert.is((await box.tsbox('plan', '--detailed-exitcode', '--var', 'version=two')).code, 0);
    },
  );
});

test.run();
