/** What configs say is compared line by line with what the container has; what is sensitive is not shown. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { sandbox } from '../support/sandbox.ts';

const STACK = `tsbox: 1
name: contents
variables: { token: { type: string, sensitive: true, default: hidden-one } }
configs:
  app: { content: "listen 80\\nworkers 2\\nlog off\\n" }
  auth: { content: "user app\\ntoken \${token}\\n" }
  binary: { file: data.bin }
secrets: { key: { content: "first-secret\\n" } }
containers:
  web:
    command: [sleep, infinity]
    stop_signal: KILL
    configs: [{ source: app, target: /tmp/app.conf }, { source: auth, target: /tmp/auth.conf }, { source: binary, target: /tmp/data }]
    secrets: [key]
`;

test('configs line by line, secrets and what holds them not at all', async () => {
  const before = await snapshot();
  const box = await sandbox('contents');
  try {
    box.write('data.bin', 'a\0b');
    const file = box.write('stack.yaml', STACK);
    const first = await box.tsbox('apply', '-f', file, '-y');
    assert.is(first.code, 0, first.stderr);
    box.write('data.bin', 'a\0c');
    box.write(
      'stack.yaml',
      STACK.replace('workers 2', 'workers 8').replace('first-secret', 'other-secret').replace('user app', 'user web'),
    );
    const args = ['-f', file, '--var', 'token=hidden-two'];
    const plan = await box.tsbox('plan', ...args, '-o', 'saved');
    const shown = (text: string): string[] => text.split('\n').filter((l) => /^ +[ +~-] ?(configs|\||[-+]\|)/.test(l));
    assert.equal(
      shown(plan.stdout).map((l) => l.trim()),
      [
        '~ configs',
        '~ configs["/tmp/app.conf"]',
        '| listen 80',
        '-| workers 2',
        '+| workers 8',
        '| log off',
        '~ configs["/tmp/auth.conf"]',
        '~ configs["/tmp/data"]',
      ],
    );
    const json = await box.tsbox('plan', ...args, '--format', 'json');
    const { resource_changes: changes } = JSON.parse(json.stdout) as {
      resource_changes: Array<{ change: { tsbox: { contents?: Record<string, Record<string, { after: string }>> } } }>;
    };
    const contents = changes[0]?.change.tsbox.contents;
    assert.equal(Object.keys(contents?.['configs'] ?? {}), ['/tmp/app.conf']);
    assert.is(contents?.['configs']?.['/tmp/app.conf']?.after, 'listen 80\nworkers 8\nlog off\n');
    const stream = await box.tsbox('plan', ...args, '--json');
    assert.match(stream.stdout, '"contents":{"/tmp/app.conf":{"before":"listen 80');
    const again = await box.tsbox('show', 'saved');
    assert.equal(shown(again.stdout), shown(plan.stdout), 'a saved plan shows the same');
    const kept = readFileSync(`${box.dir}/saved`, 'utf8');
    for (const text of [plan.stdout, json.stdout, stream.stdout, again.stdout, kept]) {
      assert.not.match(text, /hidden-one|hidden-two|first-secret|other-secret/);
    }
    const applied = await box.tsbox('apply', 'saved', '--var', 'token=hidden-two');
    assert.is(applied.code, 0, applied.stderr + applied.stdout);
    assert.is((await box.tsbox('plan', ...args, '--detailed-exitcode')).code, 0);
    assert.is((await box.tsbox('destroy', '-f', file, '-y')).code, 0);
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
});

test.run();
