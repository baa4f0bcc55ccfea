/** The language of device rules: what is read, what is refused and with which words. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DEFAULT_DEVICE_NODES, DEFAULT_DEVICE_RULES } from '../../src/resources/devices/defaults.ts';
import { resolveRules } from '../../src/resources/devices/resolve.ts';
import {
  deviceRulesSchema,
  deviceUseSchema,
  parseDeviceRule,
  type DeviceRule,
} from '../../src/resources/devices/schema.ts';
import { canonicalRules } from '../../src/resources/devices/canonical.ts';

test('every form of an item', () => {
  const rules = deviceRulesSchema.parse([
    { deny: 'all' },
    { allow: '/dev/null mrw' },
    { allow: 'c 1:5 rwm' },
    { deny: 'c 10:* w' },
    { allow: 'b *:* m' },
    { allow: 'c 4:0-63' },
  ]);
  assert.equal(rules, [
    { allow: false, type: 'a', major: '*', minor: '*', access: 'rwm' },
    { allow: true, type: 'c', major: 0, minor: 0, access: 'rwm', path: '/dev/null' },
    { allow: true, type: 'c', major: 1, minor: 5, access: 'rwm' },
    { allow: false, type: 'c', major: 10, minor: '*', access: 'w' },
    { allow: true, type: 'b', major: '*', minor: '*', access: 'm' },
    { allow: true, type: 'c', major: 4, minor: 0, minorEnd: 63, access: 'rwm' },
  ]);
  assert.is(deviceUseSchema.parse('gpu-less'), 'gpu-less');
});

const refused: ReadonlyArray<readonly [string, RegExp]> = [
  ['', /expected '\/dev\/null rwm'/],
  ['c', /expected MAJOR:MINOR such as 1:5/],
  ['c 1:5 rx', /letters r \(read\).*found 'rx'/],
  ['c 1:5 rr', /each once/],
  ['c 1:5 rw extra', /found 'c 1:5 rw extra'/],
  ['c 4096:0', /major 4096 is above 4095/],
  ['c 1:1048576', /minor 1048576 is above 1048575/],
  ['c 4:63-0', /backwards: write 0-63/],
  ['c *:*-3', /expected MAJOR:MINOR/],
  ['/etc/passwd r', /below \/dev/],
  ['/dev/../etc/passwd', /below \/dev/],
  ['/dev', /below \/dev/],
  ['null rw', /expected '\/dev\/null rwm'/],
];
for (const [text, message] of refused) {
  test(`refused: '${text}'`, () => {
    assert.match(String(parseDeviceRule(true, text)), message);
    const issue = deviceRulesSchema.safeParse([{ allow: text }]).error?.issues[0];
    assert.equal(issue?.path, [0, 'allow']);
  });
}

test('one of allow and deny, and no other key', () => {
  assert.match(
    String(deviceRulesSchema.safeParse([{ allow: 'all', deny: 'all' }]).error?.issues[0]?.message),
    /exactly one/,
  );
  assert.match(String(deviceRulesSchema.safeParse([{}]).error?.issues[0]?.message), /exactly one/);
  assert.equal(
    deviceRulesSchema.safeParse([{ alow: 'all' }]).error?.issues.map((i) => i.code),
    ['unrecognized_keys'],
  );
});

test('paths become numbers, or all that do not are named', () => {
  const rules = deviceRulesSchema.parse([
    { allow: '/dev/null r' },
    { allow: '/dev/sda' },
    { deny: '/dev/none' },
    { allow: '/dev/none' },
  ]);
  const lookup = (path: string) =>
    path === '/dev/null'
      ? ({ type: 'c', major: 1, minor: 3 } as const)
      : path === '/dev/sda'
        ? ({ type: 'b', major: 8, minor: 0 } as const)
        : undefined;
  assert.equal(resolveRules(rules, lookup), { ok: false, missing: ['/dev/none'] });
  const resolved = resolveRules(rules.slice(0, 2), lookup);
  assert.equal(resolved.ok && canonicalRules(resolved.rules), ['allow b 8:0 rwm', 'allow c 1:3 r']);
  assert.throws(() => canonicalRules(rules), /was not resolved/);
});

test('every number by itself is the wildcard', () => {
  const majors = Array.from({ length: 4096 }, (_, major): DeviceRule => ({
    allow: true,
    type: 'c',
    major,
    minor: '*',
    access: 'r',
  }));
  assert.equal(canonicalRules(majors), ['allow c *:* r']);
  assert.equal(canonicalRules(majors.filter((r) => r.major !== 7)), ['allow c *:* r', 'deny c 7:* r']);
  assert.equal(canonicalRules([{ allow: true, type: 'a', major: '*', minor: 0, minorEnd: 1048575, access: 'w' }]), [
    'allow a *:* w',
  ]);
});

test('the defaults open every node of /dev and make no other', () => {
  const lines = canonicalRules(DEFAULT_DEVICE_RULES);
  assert.equal(lines, [
    'allow c 136:* rw',
    'allow c 1:3 rwm',
    'allow c 1:5 rwm',
    'allow c 1:7-9 rwm',
    'allow c 5:0 rwm',
    'allow c 5:2 rw',
  ]);
  assert.is(DEFAULT_DEVICE_NODES.length, 6);
});

test.run();
