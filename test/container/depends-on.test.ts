/** `depends_on` in the long form: a dependency that is not required holds nobody up, and it is said. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { pidsOf } from '../support/namespaces.ts';
import { sandbox } from '../support/sandbox.ts';

const stack = (required: boolean): string => `
tsbox: 1
name: waiting
containers:
  db:
    command: [sleep, infinity]
    healthcheck: { command: [/bin/false], interval: 100ms, timeout: 5s, retries: 1 }
  job: { command: [/bin/sh, -c, exit 3] }
  web:
    command: [sleep, infinity]
    depends_on:
      db: { condition: healthy, required: ${required} }
      job: { condition: completed, required: ${required} }
      ${required ? '' : 'elsewhere: { condition: healthy, required: false }'}
`;

test('required: false starts without it, and says so; otherwise it is not started', async () => {
  const before = await snapshot();
  const box = await sandbox('depends-on');
  try {
    const file = box.write('stack.yaml', stack(false));
    const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(applied.code, 0, applied.stderr + applied.stdout);
    const said = applied.stdout + applied.stderr;
    assert.match(said, /web: starts without container\/db: .*unhealthy/);
    assert.match(said, /web: starts without container\/job: /);
    assert.ok((await pidsOf(box, 'waiting'))['web']);
    assert.is((await box.tsbox('destroy', '-f', file, '--auto-approve')).code, 0);

    const strict = box.write('strict.yaml', stack(true));
    const failed = await box.tsbox('apply', '-f', strict, '--auto-approve');
    assert.is.not(failed.code, 0);
    assert.not((await pidsOf(box, 'waiting'))['web']);
    assert.is((await box.tsbox('destroy', '-f', strict, '--auto-approve')).code, 0);
    const gone = box.write(
      'gone.yaml',
      stack(false).replace('elsewhere: { condition: healthy, required: false }', 'elsewhere: {}'),
    );
    const invalid = await box.tsbox('validate', '-f', gone);
    assert.is(invalid.code, 1);
    assert.match(invalid.stderr, 'elsewhere');
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
});

test.run();
