/** A converted Compose project on the real kernel: what its file says is what runs, drifts, heals and goes. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { busyboxLayer, writeImage } from '../support/image.ts';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { pidsOf } from '../support/namespaces.ts';
import { CLI, nsInode, procStatus, sandbox } from '../support/sandbox.ts';

const COMPOSE = `name: orders
x-logging: &logging { driver: json-file, options: { max-size: 1m, max-file: '2' } }
services:
  db:
    build: ./db
    command: [sh, -c, 'echo "$$GREETING $$PRICE" > /data/ready; cat /run/secrets/password >> /data/ready; exec sleep 1000']
    environment: { GREETING: 'hello \${WHO:-world}', PRICE: '5$$' }
    volumes: ['data:/data', './conf:/conf:ro']
    tmpfs: ['/scratch:size=1m']
    secrets: [password]
    ulimits: { nofile: { soft: 512, hard: 1024 } }
    healthcheck: { test: [CMD, stat, /data/ready], interval: 1s, retries: 5, start_period: 1s }
    stop_grace_period: 0s
    deploy: { resources: { limits: { cpus: '0.5', memory: 64M, pids: 30 } } }
    logging: *logging
    restart: unless-stopped
  web:
    build: ./web
    command: sleep 1000
    depends_on: { db: { condition: service_healthy } }
    environment: [DB=db:5432]
    stop_grace_period: 0s
    read_only: true
    cap_drop: [ALL]
    cap_add: [NET_BIND_SERVICE]
    security_opt: ['no-new-privileges:true']
    user: '1000:1000'
    ports: ['8080:80']
    deploy: { replicas: 2 }
volumes: { data: {} }
secrets: { password: { environment: ORDERS_PASSWORD } }
`;

test('convert, plan, apply, drift, heal, destroy', async () => {
  const before = await snapshot();
  const box = await sandbox('compose');
  try {
    const compose = box.write('compose.yaml', COMPOSE);
    mkdirSync(join(box.dir, 'conf'));
    const layer = busyboxLayer(join(box.dir, 'root'));
    for (const name of ['db', 'web']) {
      writeImage(join(box.dir, 'images', name), 'latest', [{ tar: layer }], { Env: ['PATH=/bin'] });
    }
    const run = (...args: string[]): ReturnType<typeof box.tsbox> =>
      box.run(process.execPath, [CLI, ...args], {
        ORDERS_PASSWORD: 'only-in-memory',
      });
    const file = join(box.dir, 'stack.yaml');
    const converted = await run('convert', 'compose', compose, '-o', file);
    assert.is(converted.code, 0, converted.stderr);
    assert.equal(
      [...converted.stderr.matchAll(/services\.(\S+):/g)].map((m) => m[1]),
      ['db.build', 'web.build', 'web.ports[0]'],
      'everything else is carried over',
    );
    const plan = await run('plan', '-f', file);
    assert.match(plan.stdout, 'Plan: 5 to add, 0 to change, 0 to destroy.', plan.stderr);
    const applied = await run('apply', '-f', file, '-y');
    assert.is(applied.code, 0, applied.stderr + applied.stdout);
    assert.is((await run('plan', '-f', file, '--detailed-exitcode')).code, 0);

    const pids = await pidsOf(box, 'orders');
    const { db = 0, 'web[0]': web = 0 } = pids;
    assert.equal(Object.keys(pids), ['db', 'web[0]', 'web[1]']);
    const inside = (pid: number, path: string): string => readFileSync(`/proc/${pid}/root${path}`, 'utf8');
    assert.is(inside(db, '/data/ready'), 'hello world 5$\nonly-in-memory');
    assert.match(inside(db, '/etc/hosts'), /^127\.0\.0\.1 db web$/m);
    assert.is(nsInode(web, 'net'), nsInode(db, 'net'), 'one Compose network is one namespace');
    assert.is.not(nsInode(web, 'pid'), nsInode(db, 'pid'));
    assert.match(readFileSync(`/proc/${db}/limits`, 'utf8'), /Max open files +512 +1024/);
    assert.match(readFileSync(`/proc/${db}/mountinfo`, 'utf8'), / \/scratch .*,size=1024k/);
    assert.is(procStatus(web).get('Uid')?.split('\t')[0], '1000');
    assert.is(procStatus(web).get('NoNewPrivs'), '1');
    assert.is(procStatus(web).get('CapBnd'), (1n << 10n).toString(16).padStart(16, '0'));
    const limit = `${box.cgroupDir('pids', 'orders/db')}/pids.max`;
    assert.is(readFileSync(limit, 'utf8').trim(), '30');

    writeFileSync(limit, 'max');
    const drift = await run('drift', '-f', file, '--format', 'json');
    assert.is(drift.code, 2, drift.stderr);
    const { items } = JSON.parse(drift.stdout) as { items: Array<{ address: string; attribute: string }> };
    assert.equal(
      items.map((i) => `${i.address} ${i.attribute}`),
      ['container/db pids.max'],
    );
    assert.is((await run('apply', '-f', file, '-y')).code, 0);
    assert.is(readFileSync(limit, 'utf8').trim(), '30');
    assert.is((await pidsOf(box, 'orders'))['db'], db, 'healed without a restart');
    const gone = await run('destroy', '-f', file, '--volumes', '-y');
    assert.is(gone.code, 0, gone.stderr);
  } finally {
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
});

test.run();
