/** A unified tree with the few controllers that no v1 hierarchy of this machine holds. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CLI, sandbox } from '../support/sandbox.ts';
import { inView, onHybrid, UNIFIED } from '../support/views.ts';

if (onHybrid()) {
  test('private unified: what the tree lacks is named; what needs no controller works', async () => {
    const box = await sandbox('layouts');
    try {
      const limited = await inView(UNIFIED, `${process.execPath} ${CLI} plan -f stacks/hello.yaml`, box.env);
      assert.is(limited.code, 1);
      assert.match(
        limited.output,
        /TSB1009.*memory\.max cannot be set: this kernel offers no 'memory' controller in its unified cgroup/,
      );
      assert.match(limited.output, 'stacks/hello.yaml:');
      const optional = box.write(
        'optional.yaml',
        'tsbox: 1\nname: view\ncgroups:\n  a: { optional: true, memory: { max: 1GiB }, freeze: false }\ncontainers:\n  c: { command: [sleep, infinity], cgroup: a }\n',
      );
      // One view for the whole course: a mount namespace pin or a /proc/self/ns comparison belongs to it.
      const course = ['plan', 'apply --auto-approve', 'plan --detailed-exitcode', 'drift', 'destroy --auto-approve']
        .map((c) => `${process.execPath} ${CLI} ${c} -f ${optional}`)
        .join(' && ');
      const { code, output } = await inView(UNIFIED, `sh -ec '${course}'`, box.env);
      assert.is(code, 0, output);
      assert.match(output, 'warning: cgroup/a: memory.max cannot be set');
      assert.match(output, 'No changes.');
    } finally {
      await box.cleanup();
    }
  });
}

test.run();
