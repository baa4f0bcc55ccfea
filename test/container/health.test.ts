/** Health checks, for real: what each kind looks at, states, actions, dependencies, changes in place. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { psRows, withStack } from '../support/supervised.ts';
import { pause, until } from '../support/wait.ts';

const QUICK = 'interval: 100ms, timeout: 2s, retries: 2';
const SERVER = `[ python3, -u, -c, "import http.server as h\\nclass H(h.BaseHTTPRequestHandler):\\n  def do_GET(s):\\n    s.send_response(204 if s.path == '/well' else 503)\\n    s.end_headers()\\nh.HTTPServer(('127.0.0.1', 8099), H).serve_forever()" ]`;

test('each kind finds what is well and what is not, from inside', async () => {
  const yaml = `
tsbox: 1
name: kinds
containers:
  command: { command: [sleep, infinity], env: { WHO: me }, user: "65534", healthcheck: { command: 'echo "$WHO $(id -u)"; test "$(id -u)" = 65534', ${QUICK} } }
  failing: { command: [sleep, infinity], healthcheck: { command: 'echo first; echo second; exit 3', ${QUICK} } }
  missing: { command: [sleep, infinity], healthcheck: { command: [ /no/such/program ], ${QUICK} } }
  server: { command: ${SERVER}, healthcheck: { http: 'http://localhost:8099/well', ${QUICK} } }
  page: { command: ${SERVER}, healthcheck: { http: { port: 8099, path: /ill }, ${QUICK} } }
  status: { command: ${SERVER}, healthcheck: { http: { port: 8099, path: /ill, status: 503 }, ${QUICK} } }
  port: { command: ${SERVER}, healthcheck: { tcp: 8099, ${QUICK} } }
  closed: { command: [sleep, infinity], healthcheck: { tcp: '[::1]:8099', ${QUICK} } }
  file: { command: [sh, -c, 'touch /tmp/here; exec sleep infinity'], healthcheck: { file: /tmp/here, ${QUICK} } }
  nofile: { command: [sleep, infinity], healthcheck: { file: /tmp/here, ${QUICK} } }
`;
  await withStack(yaml, async (box, file) => {
    const applied = await box.tsbox('apply', '-f', file, '--auto-approve');
    assert.is(applied.code, 0, applied.stderr);
    const expected: Record<string, string | null> = {
      command: 'healthy',
      failing: 'unhealthy',
      missing: 'unhealthy',
      server: 'healthy',
      page: 'unhealthy',
      status: 'healthy',
      port: 'healthy',
      closed: 'unhealthy',
      file: 'healthy',
      nofile: 'unhealthy',
    };
    // A server that takes a while to listen may be found unhealthy first.
    let seen: Record<string, string | null> = {};
    await until('the right verdicts', async () => {
      const all = await psRows(box);
      seen = Object.fromEntries(Object.keys(expected).map((name) => [name, all.get(name)?.health ?? null]));
      return JSON.stringify(seen) === JSON.stringify(expected);
    }).catch(() => undefined);
    assert.equal(seen, expected);
    const shown = (await box.tsbox('show', 'container/failing', '-f', file)).stdout;
    assert.match(shown, /last check .* failed \(3\) in .*: first\n/);
    const own = (await box.tsbox('show', 'container/command', '-f', file)).stdout;
    assert.match(own, /passed in .*: me 65534\n/, 'as the container is: its environment, its user');
    assert.match((await box.tsbox('show', 'container/closed', '-f', file)).stdout, 'connection refused');
    assert.match((await box.tsbox('show', 'container/missing', '-f', file)).stdout, 'the command cannot be run');
    const plan = await box.tsbox('plan', '-f', file, '--detailed-exitcode');
    assert.is(plan.code, 2);
    assert.match(plan.stdout, /health +unhealthy -> healthy/);
    assert.match((await box.tsbox('drift', '-f', file)).stdout, /health: healthy -> unhealthy/);
  });
});

test('a check that hangs is ended with all it started', async () => {
  const yaml = `
tsbox: 1
name: hang
containers:
  app: { command: [sleep, infinity], healthcheck: { command: 'sleep 4711 & exec sleep 4712', interval: 100ms, timeout: 300ms, retries: 1 } }
`;
  await withStack(yaml, async (box, file) => {
    assert.is((await box.tsbox('apply', '-f', file, '--auto-approve')).code, 0);
    await until('unhealthy', async () => (await psRows(box)).get('app')?.health === 'unhealthy');
    const procs = `${box.cgroupDir('unified', 'hang/app')}/cgroup.procs`;
    // Never more than those of one check: earlier ones are gone.
    await pause(1500);
    assert.ok(readFileSync(procs, 'utf8').trim().split('\n').length <= 4);
    assert.match((await box.tsbox('show', 'container/app', '-f', file)).stdout, 'timed out');
  });
});

test('start period, recovery; settings change in place', async () => {
  const yaml = (check: string): string => `
tsbox: 1
name: period
containers:
  app: { command: [sleep, infinity], healthcheck: { ${check} } }
`;
  const health = async (box: Parameters<typeof psRows>[0]): Promise<string | null> =>
    (await psRows(box)).get('app')?.health ?? null;
  await withStack(
    yaml('file: /tmp/ok, interval: 100ms, start_period: 1h, start_interval: 50ms, retries: 1'),
    async (box, file) => {
      assert.is((await box.tsbox('apply', '-f', file, '--auto-approve')).code, 0);
      await pause(600);
      assert.is(await health(box), 'starting', 'failures within the start period do not count');
      assert.is((await box.tsbox('plan', '-f', file, '--detailed-exitcode')).code, 0, 'starting is no drift');
      assert.is((await box.tsbox('exec', 'app', '--', 'touch', '/tmp/ok')).code, 0);
      await until('healthy', async () => (await health(box)) === 'healthy');
      assert.is((await box.tsbox('exec', 'app', '--', 'rm', '/tmp/ok')).code, 0);
      await until('unhealthy', async () => (await health(box)) === 'unhealthy');
      assert.is((await box.tsbox('exec', 'app', '--', 'touch', '/tmp/ok')).code, 0);
      await until('healthy again', async () => (await health(box)) === 'healthy');

      const pid = (await psRows(box)).get('app')?.pid;
      box.write('tsbox.yaml', yaml('command: [ "false" ], interval: 100ms, retries: 1000'));
      const plan = await box.tsbox('plan', '-f', file);
      assert.match(plan.stdout, /app +in place/);
      assert.match(plan.stdout, /- healthcheck\.file +"\/tmp\/ok"/);
      assert.match(plan.stdout, /\+ healthcheck\.command +\["false"\]/);
      const changed = await box.tsbox('apply', '-f', file, '--auto-approve');
      assert.is(changed.code, 0, changed.stderr);
      await until('the new check', async () =>
        (await box.tsbox('show', 'container/app', '-f', file)).stdout.includes('failed (1)'),
      );
      box.write('tsbox.yaml', yaml('disable: true'));
      const off = await box.tsbox('apply', '-f', file, '--auto-approve');
      assert.is(off.code, 0, off.stderr);
      const last = (await psRows(box)).get('app');
      assert.is(last?.health, null);
      assert.is(last?.pid, pid, 'in place');
      assert.is((await box.tsbox('plan', '-f', file, '--detailed-exitcode')).code, 0);
    },
  );
});

test.run();
