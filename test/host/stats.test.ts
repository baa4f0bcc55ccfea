/** stats and top on real cgroups. */
import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { CLI, sandbox, type Sandbox } from '../support/sandbox.ts';

const YAML = `tsbox: 1
name: st
cgroups:
  tenant: { memory: { max: 256MiB } }
containers:
  busy: { command: [sh, -c, "while :; do :; done"], cpu: { max: 25% }, cgroup: tenant }
  idle: { command: [sleep, "1000"], memory: { max: 64MiB }, pids: { max: 5 } }
`;

interface Row {
  readonly address: string | null;
  readonly cpu: { percent: number | null; throttled_seconds: number | null };
  readonly memory: { current_bytes: number | null; max_bytes: number | 'max' | null };
  readonly pids: { current: number | null; max: number | 'max' | null };
  readonly frozen: boolean | null;
}

function scene(name: string, body: (box: Sandbox) => Promise<void>): void {
  test(name, async () => {
    const before = await snapshot();
    const box = await sandbox('stats');
    try {
      const file = box.write('st.yaml', YAML);
      const applied = await box.tsbox('apply', '-y', '-f', file);
      assert.is(applied.code, 0, applied.stderr);
      await body(box);
      assert.is((await box.tsbox('destroy', '-y', '-f', file)).code, 0);
    } finally {
      await box.cleanup();
    }
    assertNoLeaks(before, await snapshot());
  });
}

scene('stats: what the kernel says, in each format', async (box) => {
  const json = await box.tsbox('stats', '--json', '--interval', '1.5');
  assert.is(json.code, 0, json.stderr);
  const rows = JSON.parse(json.stdout) as Row[];
  const of = (address: string): Row => {
    const found = rows.find((r) => r.address === address);
    assert.ok(found, address);
    return found;
  };
  const busy = of('container/busy');
  assert.ok((busy.cpu.percent ?? 0) > 3 && (busy.cpu.percent ?? 0) < 60, `${busy.cpu.percent}`);
  assert.ok((busy.cpu.throttled_seconds ?? 0) > 0);
  assert.ok((of('cgroup/tenant').cpu.percent ?? 0) > 3, 'what is below counts');
  const idle = of('container/idle');
  assert.is(idle.memory.max_bytes, 64 * 1024 * 1024);
  assert.ok((idle.memory.current_bytes ?? 0) > 0);
  assert.equal(idle.pids, { current: 1, max: 5 });
  assert.is(idle.frozen, false);

  assert.is((await box.tsbox('freeze', 'idle')).code, 0);
  const text = await box.tsbox('stats', 'idle', '--interval', '0.1');
  assert.match(text.stdout, /^CGROUP +CPU% +MEM +LIMIT .*\n +idle \[frozen\] .* 64M +1 /);
  assert.is(text.stdout.trimEnd().split('\n').length, 2);

  const metrics = (await box.tsbox('stats', '--format', 'prometheus')).stdout;
  assert.match(metrics, /^tsbox_cgroup_memory_limit_bytes\{stack="st",address="container\/idle",[^}]*\} 67108864$/m);
  assert.match(metrics, /^tsbox_cgroup_frozen\{stack="st",address="container\/idle",[^}]*\} 1$/m);
  assert.match(metrics, /^tsbox_cgroup_cpu_usage_seconds_total\{[^}]*container\/busy[^}]*\} [\d.]+$/m);

  const unknown = await box.tsbox('stats', 'nobody');
  assert.is(unknown.code, 1);
  assert.match(unknown.stderr, /TSB2003.*nobody/);
  assert.is((await box.tsbox('stats', '--format', 'xml')).code, 1);
});

scene('top: in a terminal, by its keys; the terminal is given back', async (box) => {
  const refused = await box.tsbox('top');
  assert.is(refused.code, 1);
  assert.match(refused.stderr, /top needs a terminal[\s\S]*tsbox stats/);
  if (spawnSync('script', ['--version']).status !== 0) {
    console.log('# SKIP stats: top in a terminal: no script(1)');
    return;
  }
  const keys = "(sleep 2; printf c; sleep 1; printf '/idle\\r'; sleep 1; printf q; sleep 1)";
  const command = `stty rows 20 cols 100; '${process.execPath}' '${CLI}' top --interval 0.3; echo exit=$?; stty -a`;
  const run = await box.run('sh', ['-c', `${keys} | script -qec "${command}" /dev/null`], { TERM: 'xterm' });
  const screens = run.stdout.split('\x1b[H');
  assert.ok(screens[0]?.includes('\x1b[?1049h\x1b[?25l'), 'the other screen');
  assert.match(screens[1] ?? '', /tsbox top .* of 4 cgroups {2}sort: tree/);
  assert.ok(screens.some((s) => /sort: cpu/.test(s) && s.includes('st:container/busy')));
  const filtered = screens.filter((s) => /1 of 4 cgroups .*filter: idle {2}/.test(s));
  assert.ok(filtered.length > 0 && filtered.every((s) => !s.includes('container/busy')));
  assert.match(run.stdout, /\x1b\[\?25h\x1b\[\?1049lexit=0\r\n/);
  assert.match(run.stdout.split('exit=0')[1] ?? '', /[^-]icanon[\s\S]*[^-]echo /, 'line mode and echo are back');
});

test.run();
