/** devices.list and the writes that change it. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseDeviceRule, type DeviceRule } from '../../src/resources/devices/schema.ts';
import { canonicalFromList, v1Transition } from '../../src/resources/devices/v1.ts';

const rules = (...lines: string[]): DeviceRule[] =>
  lines.map((line) => parseDeviceRule(line.startsWith('allow '), line.replace(/^\w+ /, '')) as DeviceRule);

test('reading the list', () => {
  assert.equal(canonicalFromList('a *:* rwm\n'), ['allow a *:* rwm']);
  assert.equal(canonicalFromList(''), []);
  assert.equal(canonicalFromList('c 1:3 rwm\nb *:* m\nc 136:* rw\n'), [
    'allow b *:* m',
    'allow c 136:* rw',
    'allow c 1:3 rwm',
  ]);
  assert.match(canonicalFromList('nonsense').join(), /unreadable/);
});

test('a request needs one entry with all its bits', () => {
  assert.equal(canonicalFromList('c 1:* r\nc 1:3 w\n'), ['allow c 1:* r', 'allow c 1:3 w', 'deny c 1:3 r+w']);
});

test('the minimal writes, what is old first', () => {
  assert.equal(
    v1Transition('c 1:3 rwm\nc 1:5 r\nc 1:7 rw\n', rules('allow c 1:3 rw', 'allow c 1:5 rw', 'allow c 1:7-8 rw')),
    {
      ok: true,
      writes: [
        { file: 'devices.deny', line: 'c 1:3 m' },
        { file: 'devices.allow', line: 'c 1:5 w' },
        { file: 'devices.allow', line: 'c 1:8 rw' },
      ],
      denyAllMoment: false,
    },
  );
  assert.equal(v1Transition('c 1:3 rw\nc 1:* rw\n', rules('allow c 1:* rw')), {
    ok: true,
    writes: [],
    denyAllMoment: false,
  });
});

test('what old and new both allow has an entry of its own before the old one goes', () => {
  assert.equal(v1Transition('c *:3 rw\n', rules('allow c 1:* r')), {
    ok: true,
    writes: [
      { file: 'devices.allow', line: 'c 1:3 r' },
      { file: 'devices.deny', line: 'c *:3 rw' },
      { file: 'devices.allow', line: 'c 1:* r' },
      { file: 'devices.deny', line: 'c 1:3 r' },
    ],
    denyAllMoment: false,
  });
  assert.equal(v1Transition('c 1:* rw\n', rules('allow c 1:3 rw', 'allow c 5:0 r')), {
    ok: true,
    writes: [
      { file: 'devices.allow', line: 'c 1:3 rw' },
      { file: 'devices.deny', line: 'c 1:* rw' },
      { file: 'devices.allow', line: 'c 5:0 r' },
    ],
    denyAllMoment: false,
  });
});

test('leaving "allow by default" goes through "deny everything", and says so', () => {
  assert.equal(v1Transition('a *:* rwm', rules('allow c 1:3 rw')), {
    ok: true,
    writes: [
      { file: 'devices.deny', line: 'a' },
      { file: 'devices.allow', line: 'c 1:3 rw' },
    ],
    denyAllMoment: true,
  });
  assert.equal(v1Transition('c 1:3 rw', rules('allow all')).ok && v1Transition('c 1:3 rw', rules('allow all')), {
    ok: true,
    writes: [
      { file: 'devices.allow', line: 'b *:* rwm' },
      { file: 'devices.allow', line: 'c *:* rwm' },
    ],
    denyAllMoment: false,
  });
});

test('what a v1 list cannot say is refused with the reason', () => {
  const reason = (...lines: string[]): string => {
    const result = v1Transition('', rules(...lines));
    return result.ok ? '' : result.inexpressible;
  };
  assert.match(reason('allow all', 'deny c 10:*'), /no exceptions, so 'deny c 10:\* rwm'/);
  assert.match(reason('allow c 4:*', 'deny c 4:5 w'), /'deny c 4:5 w'/);
  assert.match(reason('allow c 4:0-256'), /c 4:0-256 is 257 minors.*at most 256/);
  assert.is(reason('allow c 4:0-255'), '');
  assert.is(reason('allow c *:* m', 'allow c 4:0-3 rw'), '');
});

test.run();
