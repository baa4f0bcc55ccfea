/** A plan whose values differ in every way that values do, made up: what the text of differences is tried on. */
import type { Plan, PlannedChange } from '../../src/planner/plan.ts';
import type { Value } from '../../src/resources/attribute.ts';
import type { AttributeChange } from '../../src/resources/kind.ts';
import { CONTAINER_ATTRIBUTES } from '../../src/resources/container/attributes.ts';

export const PASSWORD = 'correct-horse-battery';

function attribute(name: string, before: Value | undefined, after: Value | undefined, more = {}): AttributeChange {
  const row = CONTAINER_ATTRIBUTES.get(name);
  const mode = row?.change ?? 'in-place';
  return { name, before, after, applied: before, cause: 'config', mode, reason: row?.reason, ...more };
}

function change(
  address: string,
  action: PlannedChange['action'],
  attributes: readonly AttributeChange[],
): PlannedChange {
  return {
    address,
    kind: address.split('/')[0] ?? '',
    action,
    missing: false,
    attributes,
    extras: [],
    reasons: [],
    unreadable: [],
    facts: {},
    steps: [],
    lateSteps: [],
    after: [],
    lateAfter: [],
    at: undefined,
  };
}

const script = (middle: string): string =>
  [
    ...Array.from({ length: 10 }, (_, i) => `line ${i}`),
    middle,
    ...Array.from({ length: 9 }, (_, i) => `line ${i + 10}`),
  ].join('\n');

const many = [
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'NET_BIND_SERVICE',
  'SETGID',
  'SETUID',
];
const options = Array.from({ length: 14 }, (_, i) => `--option-number-${i}=value`);
const digest = (c: string): string => `base.tar@sha256:${c.repeat(64)}`;

const changes = [
  change('cgroup/tenants', 'update', [
    attribute('memory.max', '134217728', '268435456'),
    attribute('cpu.max', 'max 100000', '150000 100000'),
    attribute('cpu.max.burst', '0', '20000'),
    attribute(
      'devices',
      ['allow c 1:3 r', 'allow c 1:5 rwm', 'deny b 8:0 w'],
      ['allow c 1:5 rwm', 'allow c 1:3 rwm', 'allow c 1:7 rwm'],
    ),
  ]),
  change('container/app', 'replace', [
    attribute('rootfs', digest('a'), digest('b')),
    attribute(
      'command',
      ['/bin/app', ...options],
      ['/bin/app', ...options.slice(0, 7), '--verbose', ...options.slice(7)],
    ),
    attribute(
      'env',
      { DEBUG: '1', GONE: 'x', KEPT: 'same', MODE: 'fast', PASSWORD: 'old-password', 'odd key': '' },
      { DEBUG: '2', KEPT: 'same', MODE: 'fast', PASSWORD, FRESH: `say "hi"\u202e`, 'odd key': ' ' },
    ),
    attribute('capabilities', many, [...many.slice(1), 'SYS_PTRACE']),
    attribute('user', '0:0', '1000:1000'),
  ]),
  change('container/job', 'replace', [
    attribute('command', ['sh', '-c', script('echo old')], ['sh', '-c', script('echo new\n- not removed')]),
  ]),
  change('container/mounted', 'update', [
    attribute(
      'mounts',
      {
        '/data': `bind ${'/srv/a-long-name'.repeat(4)} rw`,
        '/etc/app.conf': 'bind /srv/conf ro',
        '/var/lib/x': 'tmpfs size=64M',
      },
      { '/data': `bind ${'/srv/other-name'.repeat(4)} rw`, '/var/lib/x': 'tmpfs size=64M' },
      { applied: {}, cause: 'both' },
    ),
  ]),
  change('container/fresh', 'create', [
    attribute('command', undefined, ['/bin/app', ...options], { cause: 'new' }),
    attribute('env', undefined, { A: '1', B: 'x'.repeat(60), SCRIPT: 'set -e\nrun' }, { cause: 'new' }),
    attribute('capabilities', undefined, many, { cause: 'new' }),
    attribute('memory.max', undefined, '268435456', { cause: 'new' }),
  ]),
];

export const differences: Plan = {
  stack: 'shop',
  changes,
  complete: true,
  declared: changes.map((c) => c.address),
  warnings: [],
  unreadable: [],
};
