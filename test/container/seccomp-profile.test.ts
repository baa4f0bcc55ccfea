/** Profiles of system calls, probed inside: what is forbidden, to whom, and when a change is seen. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { procStatus, sandbox } from '../support/sandbox.ts';

const PROFILE = {
  defaultAction: 'SCMP_ACT_ALLOW',
  flags: ['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW'],
  syscalls: [
    { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 28 },
    { names: ['chmod'], action: 'SCMP_ACT_ERRNO', args: [{ index: 1, value: 0o700, op: 'SCMP_CMP_EQ' }] },
    { names: ['fchmodat'], action: 'SCMP_ACT_ERRNO', args: [{ index: 2, value: 0o700, op: 'SCMP_CMP_EQ' }] },
  ],
};

const stack = (seccomp: string): string =>
  `tsbox: 1\nname: filters\ncontainers:\n  a:\n    command: [sleep, "1000"]\n    seccomp: ${seccomp}\n`;

const PROBE = 'mkdir /tmp/d; touch /tmp/f; chmod 700 /tmp/f || echo no-700; chmod 750 /tmp/f && echo 750';

test('a profile from a file, exec under it, a change of the file, in place, and back', async () => {
  const before = await snapshot();
  const box = await sandbox('filters');
  const file = join(box.dir, 'stack.yaml');
  const profile = join(box.dir, 'profile.json');
  const run = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await box.tsbox(...args);
    assert.is(code, 0, stdout + stderr);
    return stdout;
  };
  const exec = async (...argv: string[]): Promise<string> => {
    const { stdout, stderr } = await box.tsbox('exec', 'container/filters:a', '--', ...argv);
    return stdout + stderr;
  };
  const pid = (): number =>
    Number(readFileSync(`${box.cgroupDir('unified', 'filters/a')}/cgroup.procs`, 'utf8').split('\n')[0]);
  try {
    writeFileSync(profile, JSON.stringify(PROFILE));
    box.write('stack.yaml', stack('{ profile: profile.json }'));
    await run('apply', '-f', file, '-y');
    assert.is(procStatus(pid()).get('Seccomp_filters')?.trim(), '1');
    const seen = await exec('/bin/sh', '-c', PROBE);
    assert.match(seen, /mkdir: .*No space left on device/);
    assert.match(seen, /no-700\n750/);
    assert.match(await run('plan', '-f', file), /No changes/);

    // Written otherwise it says the same.
    writeFileSync(profile, JSON.stringify(PROFILE, null, 2));
    assert.match(await run('plan', '-f', file), /No changes/);
    const first = pid();
    writeFileSync(profile, JSON.stringify({ ...PROFILE, syscalls: PROFILE.syscalls.slice(1) }));
    assert.match(await run('plan', '-f', file), /seccomp.*profile sha256:\w{16}.*profile sha256:\w{16}/);
    await run('apply', '-f', file, '-y');
    assert.is.not(pid(), first);
    assert.not.match(await exec('/bin/mkdir', '/tmp/d'), /No space/);

    // Without the record exec is refused: another filter might allow what this one does not.
    const directory = box.cgroupDir('unified', 'filters/a');
    execFileSync('python3', ['-c', `import os; os.removexattr(${JSON.stringify(directory)}, 'trusted.tsbox.seccomp')`]);
    assert.match(await exec('/bin/true'), /filter is gone/);

    // The same in place is the same.
    box.write('stack.yaml', stack(JSON.stringify({ ...PROFILE, syscalls: PROFILE.syscalls.slice(1) })));
    assert.match(await run('plan', '-f', file), /No changes/);
    box.write('stack.yaml', stack('unconfined'));
    await run('apply', '-f', file, '-y');
    assert.is(procStatus(pid()).get('Seccomp')?.trim(), '0');
    box.write('stack.yaml', stack('default'));
    await run('apply', '-f', file, '-y');
    assert.is(procStatus(pid()).get('Seccomp')?.trim(), '2');
    await run('destroy', '-f', file, '-y');
    assertNoLeaks(before, await snapshot());
  } finally {
    await box.cleanup();
  }
});

test('files that are no profile, and what is in them, are told at the place', async () => {
  const box = await sandbox('filters');
  try {
    const file = box.write('stack.yaml', stack('{ profile: p.json }'));
    const said = async (text: string): Promise<string> => {
      writeFileSync(join(box.dir, 'p.json'), text);
      const { code, stdout, stderr } = await box.tsbox('plan', '-f', file);
      assert.is.not(code, 0);
      return stdout + stderr;
    };
    const missing = await box.tsbox('plan', '-f', file);
    assert.match(missing.stdout + missing.stderr, /p\.json: ENOENT[^]*stack\.yaml:6:25/);
    assert.match(await said('{'), /not JSON/);
    const notify = { ...PROFILE, syscalls: [{ names: ['mount'], action: 'SCMP_ACT_NOTIFY' }] };
    assert.match(await said(JSON.stringify(notify)), /SCMP_ACT_NOTIFY needs somebody who answers.*syscalls\.0\.action/);
    mkdirSync(join(box.dir, 'd'));
    box.write('stack.yaml', stack('{ profile: d }'));
    const directory = await box.tsbox('plan', '-f', file);
    assert.match(directory.stdout + directory.stderr, /no regular file/);
    box.write('stack.yaml', stack('{ defaultAction: SCMP_ACT_ALOW }'));
    const inline = await box.tsbox('validate', '-f', file);
    assert.match(inline.stdout + inline.stderr, /'SCMP_ACT_ALOW' is not an action[^]*stack\.yaml:6:31/);
  } finally {
    await box.cleanup();
  }
});

test.run();
