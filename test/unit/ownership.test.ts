/** Whose an object is: the name of an installation, labels that were copied, and objects of others in our way. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TsboxErrors } from '../../src/errors.ts';
import { installationOf } from '../../src/kernel/installation.ts';
import type { KernelReader } from '../../src/kernel/reader.ts';
import { settingsFrom } from '../../src/kernel/settings.ts';
import { refuseForeign } from '../../src/planner/foreign.ts';
import { encodeLabel, LABEL_XATTR, NAMESPACE_XATTR, type Label } from '../../src/resources/label.ts';
import { readScope } from '../../src/resources/scope.ts';
import { load } from '../support/stacks.ts';

const MACHINE = '0123456789abcdef0123456789abcdef\n';

test('an installation is told by machine and state directory, and keeps its name without any file of its own', () => {
  const named = (env: Record<string, string>, machine: string | undefined = MACHINE): string =>
    installationOf(settingsFrom(env), machine);
  assert.match(named({}), /^[0-9a-f]{12}$/);
  assert.not.match(MACHINE, named({}), 'the id itself is not shown');
  assert.is(named({}), named({ TSBOX_RUN_DIR: '/run/other', TSBOX_CGROUP_ROOT: '/other' }));
  assert.is.not(named({}), named({}, MACHINE.replace('0', '1')));
  assert.is(named({ TSBOX_STATE_DIR: '/srv/tsbox' }), `${named({})}:/srv/tsbox`);
  assert.is(named({ TSBOX_STATE_DIR: '/var/lib/tsbox' }), named({}));
  assert.is(named({}, 'uninitialized\n'), 'default');
  assert.is(installationOf(settingsFrom({}), undefined), 'default');
  assert.is(named({ TSBOX_INSTALLATION: 'blue', TSBOX_STATE_DIR: '/srv/tsbox' }), 'blue');
  assert.throws(() => settingsFrom({ TSBOX_INSTALLATION: 'a\nb' }), /TSBOX_INSTALLATION must be a name/);
});

interface Dir {
  readonly path: string;
  readonly ino?: number;
  readonly label?: Partial<Label>;
}

/** A reader that sees these directories, each with its own inode; a label names that of its directory unless it says otherwise. */
function seeing(dirs: readonly Dir[], namespaces: Readonly<Record<string, Partial<Label>>> = {}): KernelReader {
  const root = '/cg/tsbox/s';
  const text = (label: Partial<Label>, ino: number): string =>
    encodeLabel({ v: 1, stack: 's', address: 'cgroup/a', ino, applied: {}, ...label });
  const all = dirs.map((d, i) => ({ path: d.path, ino: d.ino ?? i + 1, label: d.label }));
  return {
    settings: settingsFrom({}),
    layout: { primary: { mount: '/cg' } },
    installation: 'here',
    capabilities: ~0n,
    walkDirs: () => all.map(({ path, ino }) => ({ path, ino })),
    listXattrs: () => Object.keys(namespaces).map((n) => NAMESPACE_XATTR + n),
    getXattrs: (paths: readonly string[], name: string) =>
      paths.map((path) => {
        const dir = all.find((d) => path === (d.path === '' ? root : `${root}/${d.path}`));
        const own = name === LABEL_XATTR ? dir?.label : undefined;
        const pinned = name.startsWith(NAMESPACE_XATTR) ? namespaces[name.slice(NAMESPACE_XATTR.length)] : undefined;
        return own !== undefined ? text(own, dir?.ino ?? 0) : pinned !== undefined ? text(pinned, 99) : -61;
      }),
  } as unknown as KernelReader;
}

test('a label that was copied to another directory, or a record under another name, is none', () => {
  const scope = readScope(
    seeing(
      [
        { path: '' },
        { path: 'a', label: {} },
        { path: 'b', label: { ino: 2 } },
        { path: 'c', label: { address: 'cgroup/c', installation: 'here' } },
      ],
      { net: { address: 'namespace/net' }, copy: { address: 'namespace/net' } },
    ),
    's',
  );
  assert.equal([...scope.byAddress.keys()], ['cgroup/a', 'cgroup/c']);
  assert.equal([...scope.namespaces.keys()], ['net']);
  assert.equal(scope.foreign, []);
});

test('what a container has below itself is its own, the objects of a tsbox in it included', () => {
  const inner = { address: 'container/web', stack: 's' };
  const scope = readScope(
    seeing([
      { path: '' },
      { path: 'web', label: inner },
      { path: 'web/tsbox/s/web', label: inner },
      { path: 'web/tsbox/t/web', label: { ...inner, stack: 't', installation: 'there' } },
    ]),
    's',
  );
  assert.is(scope.byAddress.get('container/web')?.path, 'web');
  assert.is(scope.deposed, undefined);
  assert.equal(scope.foreign, []);
});

test("another installation's or stack's object is an error that names both", () => {
  const reader = seeing(
    [
      { path: '' },
      { path: 'a', label: { installation: 'there' } },
      { path: 'b', label: { address: 'cgroup/b', installation: 'there' } },
      { path: 'c', label: { address: 'cgroup/x', stack: 'other' } },
    ],
    { net: { address: 'namespace/net', installation: 'third' } },
  );
  const scope = readScope(reader, 's');
  assert.equal([...scope.byAddress.keys()], []);
  assert.equal([...scope.namespaces.keys()], []);
  const stack = load('tsbox: 1\nname: s\ncgroups:\n  a: { pids: { max: 5 } }\n');
  for (const asked of [stack, undefined]) {
    try {
      refuseForeign(reader, scope, asked);
      assert.unreachable();
    } catch (error) {
      const errors = error instanceof TsboxErrors ? error.errors : [];
      assert.equal(
        errors.map((e) => `${e.code} ${e.message}`),
        [
          'TSB3007 /tsbox/s/a belongs to stack s of installation there (cgroup/a), not to stack s of installation here',
          'TSB3007 /tsbox/s/c belongs to stack other (cgroup/x), not to stack s',
          'TSB3007 /tsbox/s belongs to stack s of installation third (namespace/net), not to stack s of installation here',
        ],
      );
      assert.is(errors[0]?.info.at?.line, asked === undefined ? undefined : 4);
    }
  }
});

test.run();
