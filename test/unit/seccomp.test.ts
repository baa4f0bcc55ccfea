/** The default filter's decisions, call by call, on both architectures. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { GROUPS } from '../../src/resources/container/seccomp-policy.ts';
import { SYSCALLS, type Syscall } from '../../src/resources/container/seccomp-syscalls.ts';
import { seccompFilter, type SeccompArch } from '../../src/resources/container/seccomp.ts';
import { runFilter } from '../support/classic-bpf.ts';

const [ALLOW, EPERM, ENOSYS, KILL] = [0x7fff0000, 0x00050001, 0x00050026, 0x80000000];
const AUDIT = { x86_64: 0xc000003e, aarch64: 0xc00000b7 } as const;
const ARCHES = ['x86_64', 'aarch64'] as const;

function answer(
  arch: SeccompArch,
  call: Syscall,
  args: readonly bigint[] = [],
  capabilities: readonly string[] = [],
): number | null {
  const nr = SYSCALLS[call][arch === 'x86_64' ? 0 : 1];
  const filter = seccompFilter({ profile: 'default', arch, capabilities: new Set(capabilities) });
  return nr === null ? null : runFilter(filter, { nr, arch: AUDIT[arch], args });
}

for (const arch of ARCHES) {
  test(`${arch}: every group is withheld, and given back by each of its capabilities`, () => {
    for (const group of GROUPS.filter((g) => g.action !== 'by-argument')) {
      for (const call of group.calls) {
        const withheld = answer(arch, call);
        if (withheld === null) continue;
        assert.is(withheld, group.action === 'eperm' ? EPERM : ENOSYS, call);
        for (const capability of group.unless)
          assert.is(answer(arch, call, [], [capability]), ALLOW, `${call} with ${capability}`);
        assert.is(answer(arch, call, [], ['CHOWN', 'NET_ADMIN']), withheld, call);
      }
    }
  });

  test(`${arch}: calls decided by their arguments`, () => {
    const on = (call: Syscall, ...args: bigint[]): number | null => answer(arch, call, args);
    for (const flag of [0x20000n, 0x2000000n, 0x4000000n, 0x8000000n, 0x10000000n, 0x20000000n, 0x40000000n]) {
      assert.is(on('clone', flag | 17n), EPERM);
      assert.is(on('unshare', flag), EPERM);
      assert.is(answer(arch, 'clone', [flag], ['SYS_ADMIN']), ALLOW);
    }
    assert.is(on('clone', 0x3d0f00n), ALLOW, 'a thread');
    assert.is(on('clone', 0x11n), ALLOW, 'fork');
    assert.is(on('unshare', 0x80n), EPERM, 'time namespace');
    assert.is(on('unshare', 0x600n), ALLOW, 'files and fs');
    for (const persona of [0n, 8n, 0x20000n, 0x20008n, 0xffffffffn, 0xffffffff_ffffffffn])
      assert.is(on('personality', persona), ALLOW);
    assert.is(on('personality', 0x40000n), EPERM, 'no randomisation');
    assert.is(on('ioctl', 0n, 0x5412n), EPERM);
    assert.is(on('ioctl', 0n, 0xdead_0000_5412n), EPERM, 'the kernel drops the high half');
    assert.is(on('ioctl', 0n, 0x541cn), EPERM);
    assert.is(on('ioctl', 0n, 0x5413n), ALLOW);
    assert.is(on('socket', 40n), EPERM);
    assert.is(on('socket', 2n), ALLOW);
  });

  test(`${arch}: what is not named is allowed, what is newer or of another ABI is not there`, () => {
    const filter = seccompFilter({ profile: 'default', arch, capabilities: new Set() });
    const named = new Set<number | null>(Object.values(SYSCALLS).map((n) => n[arch === 'x86_64' ? 0 : 1]));
    for (let nr = 0; nr <= 469; nr++)
      if (!named.has(nr)) assert.is(runFilter(filter, { nr, arch: AUDIT[arch] }), ALLOW, `call ${nr}`);
    for (const nr of [470, 1000, 0x40000000, 0x40000027, -1])
      assert.is(runFilter(filter, { nr, arch: AUDIT[arch] }), ENOSYS, `call ${nr}`);
    for (const foreign of [0x40000003, 0x40000028, AUDIT[arch === 'x86_64' ? 'aarch64' : 'x86_64']]) {
      assert.is(runFilter(filter, { nr: 0, arch: foreign }), KILL);
    }
    assert.ok(filter.length / 8 <= 100, `${filter.length / 8} instructions`);
  });
}

test('unconfined is no filter', () => {
  assert.is(seccompFilter({ profile: 'unconfined', arch: 'x86_64', capabilities: new Set() }).length, 0);
});

test.run();
