/** From a Compose file to a stack: values, and everything that is told instead. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { convertCompose, type ConvertedCompose } from '../../src/stack/compose/convert.ts';
import { words } from '../../src/stack/compose/text.ts';
import { loadStack } from '../../src/stack/index.ts';
import { stackText } from '../../src/stack/write.ts';
import { repository } from '../support/sandbox.ts';

type Out = Record<string, unknown>;

function convert(text: string, files: Readonly<Record<string, string>> = {}): ConvertedCompose {
  const read = (path: string): { text: string } | { why: string } =>
    files[path] === undefined ? { why: 'there is no such file' } : { text: files[path] };
  return convertCompose('compose.yaml', text, { name: 'project', profiles: [], read });
}

function containers({ stack }: ConvertedCompose): Record<string, Out> {
  return stack['containers'] as Record<string, Out>;
}

const lines = ({ notes }: ConvertedCompose): string[] => notes.map((n) => `${n.line} ${n.key}: ${n.text}`);

const shop = convert(readFileSync(join(repository(), 'test', 'compose', 'shop.yaml'), 'utf8'));

test('the stack is one that validate takes', () => {
  const text = stackText(shop.stack);
  const stack = loadStack(['stack.yaml'], { env: { SHOP_PW: 'x' }, texts: new Map([['stack.yaml', text]]) });
  assert.equal([...stack.containers.keys()], ['db', 'web[0]', 'web[1]', 'sidecar']);
  assert.equal(stack.containers.get('db')?.env['PRICE'], '5$');
  assert.equal(stack.containers.get('db')?.env['FROM'], 'c');
  assert.equal(stack.containers.get('db')?.knobs['memory.swap.max'], '536870912');
});

test('a service with limits, mounts, secrets and variables', () => {
  const { db = {} } = containers(shop);
  assert.is(db['image'], 'docker://registry.example.org:5000/team/db:${DB_TAG:-16}');
  assert.equal(db['env'], {
    POSTGRES_PASSWORD_FILE: '/run/secrets/pw',
    PRICE: '5$$',
    HOME_OF: '${OWNER}',
    FROM: '${A:-${B:-c}}',
  });
  assert.equal(db['mounts'], [
    { volume: 'data', target: '/var/lib/db' },
    { bind: './init.sql', target: '/init.sql', readonly: true },
    { tmpfs: '/scratch', size: 1048576 },
  ]);
  assert.equal(db['memory'], { max: '512m', swap: { max: 536870912 } });
  assert.equal(db['cpu'], { weight: 39 });
  assert.equal(db['pids'], { max: 'max' });
  assert.equal(db['rlimits'], { nofile: { soft: 1024, hard: 2048 }, memlock: 'unlimited' });
  assert.equal(db['log'], { max_size: '1m', files: 2 });
  assert.is(db['restart'], 'unless-stopped');
});

test('a service that is hardened, replicated and on two networks', () => {
  const { web = {} } = containers(shop);
  assert.equal(web['rootfs'], { image: 'docker://docker.io/library/nginx', readonly: true });
  assert.equal(web['command'], ['nginx', '-g', 'daemon off;']);
  assert.equal(web['capabilities'], ['NET_BIND_SERVICE']);
  assert.is(web['no_new_privs'], true);
  assert.is(web['apparmor'], 'mine');
  assert.is(web['replicas'], 2);
  assert.equal(web['update'], { max_unavailable: 1, delay: '2s' });
  assert.equal(web['cpu'], { max: 0.5 });
  assert.equal(web['memory'], { max: '64M', low: '16M' });
  assert.equal(web['depends_on'], { db: 'healthy' });
  assert.equal((web['devices'] as Out[]).at(-1), { allow: '/dev/fuse rw' });
  assert.equal(web['mounts'], [{ tmpfs: '/var/cache', size: '16m' }]);
  assert.equal(shop.stack['namespaces'], { back: { type: 'net', sysctls: { 'net.core.somaxconn': '1024' } } });
  const hosts = (shop.stack['configs'] as Record<string, { content: string }>)['hosts-back']?.content ?? '';
  assert.match(hosts, '127.0.0.1 db web www\n');
});

test('what a service extends, and the network of another one', () => {
  const { sidecar = {} } = containers(shop);
  assert.is(sidecar['image'], 'docker://docker.io/library/alpine');
  assert.equal(sidecar['namespaces'], { pid: 'host', uts: { hostname: 'side' }, net: 'container/web[0]' });
  assert.is(sidecar['init'], true);
  assert.equal(sidecar['io'], { weight: 4950, '8:0': { rbps: '1mb' } });
});

test('every line that is not carried over is told with its place', () => {
  const told = lines(shop).join('\n');
  for (const expected of [
    /^12 services\.db\.volumes\[1\]: 'z' relabels/m,
    /^\d+ services\.db\.volumes\[3\]: the anonymous volume \/cache/m,
    /services\.web\.ports\[0\]: 8080:80 is not carried over/,
    /services\.web\.networks: front and back are one network/,
    /services\.web\.deploy\.resources\.reservations\.cpus: is a wish/,
    /services\.web\.deploy\.update_config\.failure_action: 'rollback' needs order: start-first/,
    /services\.sidecar\.labels: a stack has no labels/,
    /services\.sidecar\.colour: is not known/,
    /services\.base: left out: it is of the profile never/,
    /volumes\.data\.driver_opts: a volume of type 'nfs'/,
    /networks\.back\.ipam: a network of a stack/,
  ]) {
    assert.match(told, expected);
  }
  assert.not.match(told, /x-defaults|\$\$|internal/);
});

test('env_file, build, unusual variables', () => {
  const result = convert(
    'services: { a: { build: ., env_file: [a.env, {path: b.env, required: false}, c.env], environment: [PASSED, "X=${Y:+z}"] } }',
    { 'a.env': '# no\nexport K=v # why\nQ=\'$HOME\'\nR="${S}"\n' },
  );
  assert.equal(containers(result)['a']?.['env'], { K: 'v', Q: '$$HOME', R: '${S}', PASSED: '${PASSED}', X: '' });
  assert.is(containers(result)['a']?.['image'], 'oci:./images/a');
  assert.match(lines(result).join('\n'), /c\.env: there is no such file[^]*has no counterpart: taken as not set/);
});

test('what the language refuses is left out and told, not passed on', () => {
  const result = convert('services: { a: { image: x, stop_signal: SIGFOO, working_dir: rel } }');
  assert.match(lines(result).join('\n'), /stop_signal: .*: left out/);
  assert.match(lines(result).join('\n'), /working_dir: .*: left out/);
  const texts = new Map([['s.yaml', stackText(result.stack)]]);
  assert.is(loadStack(['s.yaml'], { env: {}, texts }).containers.size, 1);
});

test('a map or a list where a text belongs is told, and nothing is made up in its place', () => {
  const result = convert(
    'services:\n  a:\n    image: x\n    command: { a: 1 }\n    environment: { E: { b: 1 } }\n    working_dir: [/srv]\n',
  );
  const told = lines(result).join('\n');
  for (const key of ['command', 'environment.E', 'working_dir']) {
    assert.match(told, key);
  }
  assert.not.match(stackText(result.stack), /object|srv/);
});

test('words of a command line', () => {
  assert.equal(words(`a 'b c' "d \\"e" f\\ g ${'${X:-h i}'} ''`), ['a', 'b c', 'd "e', 'f g', '${X:-h i}', '']);
});

test('no YAML, no map, circles', () => {
  assert.throws(() => convert('a: [1'), /this is not YAML/);
  assert.throws(() => convert('- 1'), /no Compose file/);
  assert.throws(
    () => convert('services: { a: &a { image: x, environment: *a } }'),
    /alias \*a stands inside what it stands for/,
  );
  const circle = convert('services: { a: { image: x, extends: b }, b: { image: y, extends: a } }');
  assert.match(lines(circle).join('\n'), /extends itself/);
});

test.run();
