/** Completion: what is offered where, and the script of bash as bash itself runs it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseArguments } from '../../src/cli/args.ts';
import { COMMANDS } from '../../src/cli/command-table.ts';
import { complete, completionText } from '../../src/cli/completion/complete.ts';
import { addressesIn } from '../../src/cli/completion/look-up.ts';
import { SCRIPTS } from '../../src/cli/completion/scripts.ts';
import { optionLines } from '../../src/cli/help.ts';
import type { KernelReader } from '../../src/kernel/reader.ts';
import { encodeLabel, LABEL_XATTR } from '../../src/resources/label.ts';

const directory = mkdtempSync(join(tmpdir(), 'tsbox-completion-'));
const stack = join(directory, 'shop.yaml');
const broken = join(directory, 'broken.yaml');
test.before(() => {
  writeFileSync(
    stack,
    `tsbox: 1
name: shop
variables: { size: { type: integer }, region: {} }
cgroups:
  tenants: { children: { api: { children: { v1: {} } } } }
namespaces: { bus: { type: ipc } }
volumes: { data: {} }
containers:
  web: { command: [a], replicas: 2 }
  db: { command: [a], replicas: "\${size}" }
  edge: { command: [a], for_each: [eu, us] }
`,
  );
  writeFileSync(broken, 'tsbox: 1\ncontainers: { web: [\n');
});
test.after(() => {
  rmSync(directory, { recursive: true });
});

async function values(...words: string[]): Promise<string[]> {
  return (await complete(words)).candidates.map((c) => c.value);
}

test('commands, and options of the command that were not given yet', async () => {
  assert.equal(await values('p'), ['plan', 'ps', 'pause']);
  assert.equal((await values('')).sort(), [...Object.keys(COMMANDS), 'help'].sort());
  assert.equal(await values('help', 'dr'), ['drift']);
  assert.equal(await values('plan', '--d'), ['--detailed-exitcode', '--destroy', '--diff-context']);
  assert.equal(await values('plan', '--destroy', '--d'), ['--detailed-exitcode', '--diff-context']);
  assert.equal(await values('plan', '--target', 'x', '--tar'), ['--target'], 'one that may be repeated');
  assert.equal(await values('drift', '--heal-'), [], 'hidden');
  assert.equal(await values('exec', 'web', '--', '-'), [], 'options of another program');
  assert.equal(await values('nothing', '--'), []);
});

test('every option of every command takes a value exactly where help says so', async () => {
  for (const [name, row] of Object.entries(COMMANDS)) {
    const { command } = await row.load();
    for (const option of optionLines(name, command)) {
      const arg = option.value === undefined ? `--${option.name}` : `--${option.name}=A=b`;
      assert.ok(parseArguments([arg], command.options), `${name} ${arg}`);
      if (option.value !== undefined) {
        assert.throws(() => parseArguments([`--${option.name}`], command.options), /argument missing/, name);
      }
    }
  }
});

test('values of options', async () => {
  assert.equal(await values('stats', '--format', ''), ['text', 'json', 'prometheus']);
  assert.equal(await values('drift', '--format=j'), ['--format=json', '--format=junit']);
  assert.equal(await values('reconcile', '--policy', 'a'), ['auto', 'approved']);
  assert.equal(await values('drift', '--heal=security,c'), ['--heal=security,capacity', '--heal=security,cosmetic']);
  assert.equal(await values('run', '--namespaces', 'net,u'), ['net,user', 'net,uts']);
  assert.equal(await values('run', '--namespaces', 'uts,u'), ['uts,user'], 'not the same twice');
  assert.equal(await values('run', '--capabilities=NET_BIND'), ['--capabilities=NET_BIND_SERVICE']);
  assert.equal(await values('run', '--mount', 'mq'), ['mqueue:']);
  assert.equal(await values('kill', '-s', 'USR'), ['USR1', 'USR2']);
  assert.equal(await values('signal', 'web', 'TE'), ['TERM']);
  assert.equal(await values('completion', ''), ['bash', 'zsh', 'fish']);
  assert.equal(await values('import', ''), ['cgroup', 'pid']);
  assert.equal(await values('apply', '--var', '', '-f', stack), [], 'no value of an option before the last word');
  const also = async (...words: string[]): Promise<string> => (await complete(words)).also;
  assert.is(await also('plan', '-f', ''), 'files');
  assert.is(await also('plan', '-qo', ''), 'files', 'short options in one word');
  assert.is(await also('plan', '--output='), 'files');
  assert.is(await also('reconcile', '--dir', ''), 'directories');
  assert.is(await also('run', '--rootfs', ''), 'directories');
  assert.is(await also('fmt', 'a.yaml', ''), 'files');
  assert.is(await also('plan', ''), 'nothing');
});

test('names of the stack files', async () => {
  const all = await values('apply', '-f', stack, '--target', '');
  assert.equal(all, [
    ...['cgroup/tenants', 'cgroup/tenants/api', 'cgroup/tenants/api/v1', 'namespace/bus', 'volume/data'],
    ...['container/web', 'container/web[0]', 'container/web[1]', 'container/db', 'container/edge.eu'],
    'container/edge.us',
  ]);
  assert.equal(await values('drift', `--file=${stack}`, '--target=container/d'), ['--target=container/db']);
  assert.equal(await values('restore', '-f', stack, 'we'), ['web', 'web[0]', 'web[1]']);
  assert.equal(await values('restore', '-f', stack, 'container/e'), ['container/edge.eu', 'container/edge.us']);
  assert.equal(await values('plan', '-f', stack, '--var', 's'), ['size=']);
});

test('a file that cannot be read or parsed offers nothing and is no error', async () => {
  for (const file of [broken, directory, join(directory, 'none.yaml')]) {
    assert.equal(await values('plan', '-f', file, '--var', ''), []);
  }
  assert.equal(await values('plan', '-f', broken, '-f', stack, '--var', 'r'), ['region='], 'the others are read');
});

/** A machine with these labels in directories of their own, by stack. */
function machine(stacks: Readonly<Record<string, readonly string[]>>): KernelReader {
  const labels = new Map<string, string>();
  const directories = Object.entries(stacks).flatMap(([name, addresses]) => [
    { path: name, ino: 0 },
    ...addresses.map((address, i) => {
      labels.set(`/cg/root/${name}/${i}`, encodeLabel({ v: 1, stack: name, address, ino: i + 1, applied: {} }));
      return { path: `${name}/${i}`, ino: i + 1 };
    }),
  ]);
  return {
    capabilities: ~0n,
    layout: { primary: { mount: '/cg' } },
    settings: { cgroupRoot: '/root' },
    walkDirs: (from: string) => {
      const below = from.slice('/cg/root'.length).replace(/^\//, '');
      return directories
        .filter(({ path }) => `${path}/`.startsWith(below === '' ? '' : `${below}/`))
        .map((d) => ({ ...d, path: d.path.slice(below.length).replace(/^\//, '') }));
    },
    getXattrs: (paths: readonly string[], name: string) =>
      paths.map((p) => (name === LABEL_XATTR ? labels.get(p) : -61)),
    listXattrs: () => [],
  } as unknown as KernelReader;
}

test('names of what exists, by the labels', async () => {
  const reader = machine({
    shop: ['cgroup/pool', 'container/web[0]', 'container/web[1]', 'container/db'],
    blog: ['container/db'],
    _leaf: [],
  });
  assert.equal(await addressesIn(reader, undefined), [
    ...['cgroup/pool', 'container/web', 'container/web[0]', 'container/web[1]', 'container/shop:db'],
    'container/blog:db',
  ]);
  assert.equal(await addressesIn(reader, 'blog'), ['container/db']);
  assert.equal(await addressesIn(reader, 'none'), []);
});

/** What bash offers at the end of a line that it has divided into these words. */
async function bash(
  line: string,
  ...divided: string[]
): Promise<{ asked: string[]; offered: string[]; extra: string }> {
  const asked = join(directory, 'asked');
  const run = (answer: string): string => {
    const script = [
      SCRIPTS['bash'],
      'tsbox() { printf "%s\\0" "${@:2}" > "$ASKED"; printf %s "$ANSWER"; }',
      'compopt() { echo "$@"; }',
      'COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDS=("${@:2}") COMP_CWORD=$(($# - 2))',
      '_tsbox && printf "%s\\n" "${COMPREPLY[@]}"',
    ].join('\n');
    const done = spawnSync('bash', ['--norc', '-c', script, 'bash', line, ...divided], {
      env: { PATH: process.env['PATH'], ASKED: asked, ANSWER: answer },
      encoding: 'utf8',
    });
    assert.equal([done.status, done.stderr], [0, ''], line);
    return done.stdout;
  };
  run('');
  const words = readFileSync(asked, 'utf8').split('\0').slice(0, -1);
  const lines = run(completionText(await complete(words)))
    .split('\n')
    .filter((l) => l !== '');
  return {
    asked: words,
    offered: lines.filter((l) => !l.startsWith('-o ')),
    extra: lines.filter((l) => l.startsWith('-o ')).join(' '),
  };
}

test('bash: words, values after = and :, names with brackets', async () => {
  assert.equal(await bash('tsbox gr', 'tsbox', 'gr'), { asked: ['gr'], offered: ['graph'], extra: '' });
  assert.equal((await bash('tsbox stats --format ', 'tsbox', 'stats', '--format', '')).offered, [
    'text',
    'json',
    'prometheus',
  ]);
  const equals = await bash('tsbox stats --format=j', 'tsbox', 'stats', '--format', '=', 'j');
  assert.equal(equals, { asked: ['stats', '--format=j'], offered: ['json'], extra: '' });
  const empty = await bash('tsbox stats --format=', 'tsbox', 'stats', '--format', '=');
  assert.equal(empty, { asked: ['stats', '--format='], offered: ['text', 'json', 'prometheus'], extra: '' });
  const colon = await bash(
    'tsbox run  --share db:net --mount mq',
    'tsbox',
    'run',
    '--share',
    'db',
    ':',
    'net',
    '--mount',
    'mq',
  );
  assert.equal(colon.asked, ['run', '--share', 'db:net', '--mount', 'mq']);
  assert.equal([colon.offered, colon.extra], [['mqueue:'], '-o nospace']);
  const quoted = await bash(`tsbox plan -f '${stack}' --var r`, 'tsbox', 'plan', '-f', `'${stack}'`, '--var', 'r');
  assert.equal([quoted.offered, quoted.extra], [['region='], '-o nospace']);
  const brackets = await bash(`tsbox restore -f ${stack} web\\[`, 'tsbox', 'restore', '-f', stack, 'web\\[');
  assert.equal(brackets.offered, ['web\\[0\\]', 'web\\[1\\]']);
});

test('bash: files and directories are its own', async () => {
  assert.equal(await bash('tsbox fmt s', 'tsbox', 'fmt', 's'), {
    asked: ['fmt', 's'],
    offered: [],
    extra: '-o default',
  });
  const home = await bash('tsbox reconcile --dir ', 'tsbox', 'reconcile', '--dir', '');
  assert.equal([home.offered, home.extra], [[], '-o dirnames']);
});

test('bash: the cursor inside of a line', async () => {
  const script = `${SCRIPTS['bash']}\ntsbox() { printf "<%s>" "\${@:2}" >&2; }
COMP_LINE='tsbox plan --format json' COMP_POINT=9 COMP_WORDS=(tsbox plan --format json) COMP_CWORD=1; _tsbox`;
  assert.is(
    spawnSync('bash', ['--norc', '-c', script.replace('2>/dev/null', '')], { encoding: 'utf8' }).stderr,
    '<pla>',
  );
});

for (const [shell, script] of Object.entries(SCRIPTS)) {
  test(`${shell}: the syntax of the script, where the shell is installed`, () => {
    const file = join(directory, `script.${shell}`);
    writeFileSync(file, script);
    const { error, status, stderr } = spawnSync(shell, ['-n', file], { encoding: 'utf8' });
    if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT' && shell !== 'bash') {
      return;
    }
    assert.equal([status, stderr], [0, '']);
  });
}

test.run();
