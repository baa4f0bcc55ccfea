/** Tags and rates of a cgroup's traffic as programs on v2: declared, detached by hand, shown, healed, gone. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadNative } from '../../src/kernel/native.ts';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { layout, sandbox } from '../support/sandbox.ts';

const YAML = `tsbox: 1
name: tag
cgroups:
  box: { network_tag: { mark: 0x10, priority: 5 }, bandwidth: { egress: 10Mbit } }
`;
/** BPF_CGROUP_INET_INGRESS, _EGRESS and _SOCK_CREATE of enum bpf_attach_type. */
const HOOKS = [0, 1, 2];

test('every program that is detached by hand is shown and attached again', async () => {
  if (layout() === 'v1') {
    return;
  }
  const before = await snapshot();
  const box = await sandbox('tag');
  try {
    const file = box.write('tag.yaml', YAML);
    assert.is((await box.tsbox('apply', '-y', '-f', file)).code, 0);
    assert.is((await box.tsbox('plan', '-f', file, '--detailed-exitcode')).code, 0);
    const native = loadNative();
    const dir = box.cgroupDir('unified', 'tag/box');
    let detached = 0;
    for (const hook of HOOKS) {
      const [programs] = native.cgroupPrograms([dir], hook);
      for (const program of Array.isArray(programs) ? programs : []) {
        assert.is(native.cgroupProgramDetach(dir, hook, program.id), true);
        detached++;
        const drift = await box.tsbox('drift', '-f', file);
        assert.is(drift.code, 2, drift.stdout);
        assert.match(drift.stdout, /network_tag|bandwidth/);
        assert.is((await box.tsbox('apply', '-y', '-f', file)).code, 0);
        assert.is((await box.tsbox('plan', '-f', file, '--detailed-exitcode')).code, 0);
      }
    }
    assert.ok(detached >= 2, `${detached} programs found`);
    assert.is((await box.tsbox('destroy', '-y', '-f', file)).code, 0);
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
});

test.run();
