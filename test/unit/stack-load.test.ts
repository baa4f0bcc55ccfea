/** Good stacks: what the language makes of them. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fillOutput } from '../../src/stack/index.ts';
import { errorsOf, load, stack, withFiles } from '../support/stacks.ts';
import { loadStack } from '../../src/stack/index.ts';

const job = '{ command: [ /bin/true ] }';

test('the defaults of a container', () => {
  const db = load(stack('containers:\n  db: { command: [ /bin/sleep, 60 ] }\n')).containers.get('db');
  assert.equal(db?.command, ['/bin/sleep', '60']);
  assert.equal(db?.rootfs, { kind: 'host' });
  assert.equal(db?.capabilities, []);
  assert.equal(db?.user, { user: 0, group: 0, groups: [] });
  assert.equal(db?.log, { driver: 'file', maxSize: 10 * 1024 * 1024, files: 3, namespace: '' });
  assert.equal(db?.restart, { policy: 'no', max: 0, backoff: 100, backoffMax: 30_000 });
  assert.equal(
    [
      db?.workingDir,
      db?.noNewPrivs,
      db?.seccomp,
      db?.maskedPaths,
      db?.stopSignal,
      db?.stopGracePeriod,
      db?.cgroup,
      db?.devices,
    ],
    ['/', true, { kind: 'default' }, 'default', 15, 10_000, null, null],
  );
  const kinds = Object.entries(db?.namespaces ?? {}).map(([type, use]) => `${type}=${use.kind}`);
  assert.equal(kinds, ['user=host', 'mnt=new', 'pid=new', 'net=new', 'ipc=new', 'uts=new', 'cgroup=new', 'time=host']);
  const uts = db?.namespaces.uts;
  assert.is(uts?.kind === 'new' ? uts.settings.hostname : '', 'db');
});

test('a container with everything', () => {
  const text = stack(`
cgroups:
  tenants: { memory: { max: 1GiB }, children: { api: { cpu: { weight: 800 }, freeze: true } } }
namespaces: { front: { type: net }, lab: { type: user, uids: [ { inside: 0, outside: 100000, count: 10 } ] } }
devices: { none: [ { deny: all } ] }
containers:
  db: ${job}
  web:
    rootfs: { dir: ./rootfs, overlay: false }
    command: exec sleep $$TIME
    env: { MODE: 0644, ON: true, PI: 3.140, EMPTY: "" }
    working_dir: /srv/
    user: { user: www, groups: [ 5, tty ] }
    capabilities: [ CAP_NET_ADMIN, chown, CHOWN ]
    restart: on-failure
    stop_signal: SIGINT
    stop_grace_period: 1m
    depends_on: { db: completed }
    cgroup: tenants/api
    memory: { max: 256MiB }
    freeze: false
    devices: none
    masked_paths: []
    namespaces: { net: front, user: lab, uts: { domainname: example.org }, ipc: container/db, pid: 'pid:7', cgroup: host, time: { monotonic: -1h }, mnt: new }
`);
  withFiles({ 'stack.yaml': text }, (directory) => {
    const { containers, cgroups, namespaces } = loadStack([`${directory}/stack.yaml`], { env: {} });
    const web = containers.get('web');
    assert.equal(web?.rootfs, {
      kind: 'dir',
      dir: './rootfs',
      path: `${directory}/rootfs`,
      overlay: false,
      readonly: false,
      upper: null,
      idmap: null,
      pivot: true,
    });
    assert.equal(web?.command, ['/bin/sh', '-c', 'exec sleep $TIME']);
    assert.equal(web?.env, { MODE: '0644', ON: 'true', PI: '3.140', EMPTY: '' });
    assert.equal(web?.user, { user: 'www', group: null, groups: [5, 'tty'] });
    assert.equal(web?.capabilities, ['CHOWN', 'NET_ADMIN']);
    assert.equal(web?.knobs, { 'memory.max': '268435456', 'cgroup.freeze': '0' });
    assert.equal(
      [web?.workingDir, web?.stopSignal, web?.stopGracePeriod, web?.cgroup, web?.devices],
      ['/srv', 2, 60_000, 'tenants/api', 'none'],
    );
    assert.equal([...cgroups.keys()], ['tenants', 'tenants/api']);
    assert.equal(namespaces.get('lab')?.gids, [{ inside: 0, outside: 100_000, count: 10 }]);
    const uts = web?.namespaces.uts;
    assert.equal(uts?.kind === 'new' && [uts.settings.hostname, uts.settings.domainname], ['web', 'example.org']);
    const time = web?.namespaces.time;
    assert.equal(time?.kind === 'new' && time.settings.monotonic, { sec: -3600, nsec: 0 });
  });
});

test('later files win: maps merge, lists and values are replaced', () => {
  const merged = load(
    {
      'a.yaml': stack('containers:\n  db: { command: [ /bin/a, b ], env: { A: 1, B: 2 }, capabilities: [ CHOWN ] }\n'),
      'b.yaml': 'containers:\n  db: { command: [ /bin/c ], env: { B: 3 } }\n  web: { command: [ /bin/true ] }\n',
    },
    ['a.yaml', 'b.yaml'],
  );
  const db = merged.containers.get('db');
  assert.equal(
    [db?.command, db?.env, db?.capabilities, merged.containers.size],
    [['/bin/c'], { A: '1', B: '3' }, ['CHOWN'], 2],
  );
});

test('includes come before the file that names them, once, with their own directory', () => {
  const files = {
    'stack.yaml': stack('include: [ parts/one.yaml, parts/two.yaml ]\ncontainers: { db: { env: { FROM: root } } }\n'),
    'parts/one.yaml': 'include: two.yaml\ncontainers: { db: { command: [ /bin/one ], env: { FROM: one } } }\n',
    'parts/two.yaml': 'containers: { db: { command: [ /bin/two ], rootfs: { dir: r } } }\n',
  };
  withFiles(files, (directory) => {
    const loaded = loadStack([`${directory}/stack.yaml`], { env: {} });
    const db = loaded.containers.get('db');
    assert.equal([db?.command, db?.env], [['/bin/one'], { FROM: 'root' }]);
    assert.is(db?.rootfs.kind === 'dir' && db.rootfs.path, `${directory}/parts/r`);
    assert.equal(
      loaded.files.map((f) => f.slice(directory.length + 1)),
      ['parts/two.yaml', 'parts/one.yaml', 'stack.yaml'],
    );
    assert.is(loaded.locate('container/db', ['rootfs', 'dir'])?.file, `${directory}/parts/two.yaml`);
  });
});

test('variables: sources, types, defaults, escapes', () => {
  const text = stack(`
variables:
  workers: { type: integer, default: 2 }
  region: { env: REGION }
  flag: { type: boolean, default: false }
  token: { sensitive: true, env: TOKEN }
containers:
  db:
    command: [ "\${workers}x", "\${region:-eu}", "\${none:-\${region:-deep}}", $$HOME, $HOME, "$\${x}" ]
    no_new_privs: \${flag}
    pids: { max: "\${workers}" }
    env: { TOKEN: "\${token}" }
outputs: { pid: "\${container.db.pid}", t: "\${token}" }
`).replace('variables:\n', 'variables:\n  none: {}\n');
  const loaded = load(text, undefined, { variables: { workers: '7' }, env: { TOKEN: 's3cret${workers}' } });
  const db = loaded.containers.get('db');
  assert.equal(db?.command, ['7x', 'eu', 'deep', '$HOME', '$HOME', '${x}']);
  assert.equal([db?.noNewPrivs, db?.knobs['pids.max'], db?.env['TOKEN']], [false, '7', 's3cret${workers}']);
  assert.equal(loaded.outputs.get('pid'), { value: '${container.db.pid}', sensitive: false });
  assert.is(loaded.outputs.get('t')?.sensitive, true);
  assert.is(
    fillOutput(loaded.outputs.get('t')?.value ?? '', () => 'filled'),
    's3cret${workers}',
  );
  assert.is(
    fillOutput('a $${b} ${container.x.y.pid}', (r) => `${r.name}/${r.attribute}`),
    'a ${b} x.y/pid',
  );
  assert.equal(loaded.sensitive, ['s3cret${workers}']);
  assert.is(load(text, undefined, { env: { REGION: 'us', TOKEN: 'x' } }).containers.get('db')?.command[1], 'us');
});

test('anchors, aliases, merge keys and x- keys', () => {
  const loaded = load(
    stack(
      'x-base: &base { user: 5, env: { A: 1 } }\ncontainers:\n  a: { <<: *base, command: [ x ], env: { B: 2 } }\n  b: { <<: [ { user: 6 }, *base ], command: [ x ] }\n',
    ),
  );
  assert.equal([loaded.containers.get('a')?.user.user, loaded.containers.get('a')?.env], [5, { B: '2' }]);
  assert.equal([loaded.containers.get('b')?.user.user, loaded.containers.get('b')?.env], [6, { A: '1' }]);
});

test('limits above a limit are warned about with both lines', () => {
  const { warnings } = load(
    stack(
      'cgroups:\n  a:\n    memory: { max: 1GiB }\n    cpu: { max: 50% }\n    children: { b: { cpu: { max: 2 } } }\ncontainers:\n  db:\n    command: [ x ]\n    cgroup: a/b\n    memory: { max: 2GiB }\n    pids: { max: 5 }\n',
    ),
  );
  assert.equal(
    warnings.map((w) => `${w.at?.line}:${w.at?.column} ${w.message.replace(/\(.*\//, '(')}`),
    [
      '7:34 cpu.max of cgroup/a/b is 200%, but cgroup/a has no more than 50% (stack.yaml:6)',
      '12:20 memory.max of container/db is 2 GiB, but cgroup/a has no more than 1 GiB (stack.yaml:5)',
    ],
  );
});

test('values are located by address and path', () => {
  const loaded = load(
    stack(
      'cgroups:\n  a:\n    children:\n      b: { cpu: { weight: 7 } }\ncontainers:\n  db: { command: [ x ], depends_on: [] }\n',
    ),
  );
  const at = (address: string, path: (string | number)[]): string => {
    const span = loaded.locate(address, path);
    return span === undefined ? 'none' : `${span.line}:${span.column}+${span.length}`;
  };
  assert.equal(
    [
      at('cgroup/a/b', ['cpu', 'weight']),
      at('cgroup/a/b', ['memory', 'max']),
      at('container/db', []),
      at('container/db', ['command', 0]),
      at('container/no', []),
    ],
    ['6:27+1', '6:7+1', '8:3+2', '8:20+1', 'none'],
  );
});

test('secrets stay out of messages', () => {
  const text = stack(
    'variables: { token: { sensitive: true, env: TOKEN } }\ncontainers:\n  db: { command: [ x ], cgroup: "${token}", user: "a b ${token}", depends_on: [ "${token}" ] }\n',
  );
  for (const token of ['hunter2hunter2', 'ab', '../..', '0']) {
    const told = errorsOf(text, undefined, { env: { TOKEN: token } })
      .map((e) => `${e.message} ${e.info.expected} ${e.info.hint}`)
      .join('\n');
    assert.not.ok(told.includes(`'${token}'`) || (token.length > 3 && told.includes(token)), told);
  }
});

test('several files are all complained about, in their order', () => {
  const errors = errorsOf({ 'a.yaml': 'tsbox: 1\nname: [\n', 'b.yaml': 'containers: { db: { comand: [ x ] } }\n' }, [
    'a.yaml',
    'b.yaml',
    'c.yaml',
  ]);
  assert.equal(errors.map((e) => e.code).sort(), ['TSB1001', 'TSB1002', 'TSB1003']);
});

test.run();
