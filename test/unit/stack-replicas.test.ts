/** `replicas:` in the language: what a container becomes, and what its names mean to the others. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { leafPath } from '../../src/resources/container/declare.ts';
import {
  addressFits,
  compareNames,
  defaultHostname,
  leafName,
  parseReplica,
} from '../../src/resources/container/replica-names.ts';
import { DEFAULT_UPDATE, unavailableAtOnce } from '../../src/resources/container/replicas.ts';
import { loadStack } from '../../src/stack/index.ts';
import type { Stack } from '../../src/stack/index.ts';

function load(text: string, variables: Record<string, string> = {}): Stack {
  const directory = mkdtempSync(join(tmpdir(), 'tsbox-test-'));
  try {
    const file = join(directory, 'stack.yaml');
    writeFileSync(file, `tsbox: 1\nname: copies\n${text}`);
    return loadStack([file], { env: {}, variables });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const WEB = `
variables: { n: { type: integer, default: 2 } }
containers:
  web:
    command: [serve, "--port=80\${index}", "$\${index}"]
    replicas: \${n}
    env: { ID: "\${index}" }
    memory: { max: "1\${index}MiB" }
  proxy: { command: [proxy], depends_on: [web] }
`;

test('each replica is a container with its own number', () => {
  const { containers } = load(WEB);
  assert.equal([...containers.keys()], ['web[0]', 'web[1]', 'proxy']);
  const second = containers.get('web[1]');
  assert.equal(second?.command, ['serve', '--port=801', '${index}']);
  assert.equal(second?.env, { ID: '1' });
  assert.is(second?.knobs['memory.max'], String(11 << 20));
  assert.is(second?.namespaces.uts.kind === 'new' && second.namespaces.uts.settings.hostname, 'web-1');
  assert.is(leafPath(second ?? { name: '', cgroup: null }), 'web.1');
});

test('a replicated container by its name is all of its replicas', () => {
  assert.equal(load(WEB).containers.get('proxy')?.dependsOn, { 'web[0]': 'started', 'web[1]': 'started' });
  const one = load(WEB, { n: '1' }).containers;
  assert.equal([...one.keys()], ['web[0]', 'proxy']);
  assert.equal(one.get('proxy')?.dependsOn, { 'web[0]': 'started' });
});

test('no replicas are none, and nobody waits for them', () => {
  const { containers } = load(WEB, { n: '0' });
  assert.equal([...containers.keys()], ['proxy']);
  assert.equal(containers.get('proxy')?.dependsOn, {});
});

test('a value is found at its place in the file, whichever replica has it', () => {
  const stack = load(WEB, { n: '1000' });
  assert.is(stack.containers.size, 1001);
  assert.is(stack.locate('container/web[999]', ['memory', 'max'])?.line, 10);
});

test('a default stands where there is no number', () => {
  const { containers } = load('containers: { job: { command: [sleep, "${index:-7}"] } }');
  assert.equal(containers.get('job')?.command, ['sleep', '7']);
});

test('names', () => {
  assert.equal(parseReplica('web[12]'), { container: 'web', index: 12 });
  for (const text of ['web', 'web[]', 'web[01]', 'web[-1]', 'web[1', '[1]', 'web[12345]']) {
    assert.is(parseReplica(text), undefined, text);
  }
  assert.is(leafName('web[12]'), 'web.12');
  assert.is(defaultHostname('web'), 'web');
  assert.is(defaultHostname(`${'w'.repeat(63)}[999]`), `${'w'.repeat(60)}-999`);
  assert.equal(['web[10]', 'web[2]', 'a[3]'].sort(compareNames), ['a[3]', 'web[2]', 'web[10]']);
  assert.ok(addressFits('container/web[3]', 'container/web'));
  assert.not.ok(addressFits('container/website', 'container/web'));
  assert.not.ok(addressFits('container/web[3]', 'container/web[1]'));
});

test('how many may be down at once', () => {
  const most = (maxUnavailable: (typeof DEFAULT_UPDATE)['maxUnavailable'], replicas: number): number =>
    unavailableAtOnce({ ...DEFAULT_UPDATE, maxUnavailable }, replicas);
  assert.is(most({ count: 3 }, 10), 3);
  assert.is(most({ percent: 25 }, 10), 2);
  assert.is(most({ percent: 25 }, 3), 1);
});

test.run();
