/** Binds that follow their source, and volumes where the file system keeps no attributes. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CLI, type Sandbox } from '../support/sandbox.ts';
import { applied, scene } from '../support/userns.ts';

/** Runs a script of the host in a mount namespace of its own, from which nothing gets back. */
async function apart(box: Sandbox, script: string): Promise<string> {
  const run = await box.run('unshare', ['-m', '--propagation', 'private', 'sh', '-ec', script], {
    NODE: process.execPath,
    CLI,
    DIR: box.dir,
  });
  assert.is(run.code, 0, run.stderr + run.stdout);
  return run.stdout;
}

const TSBOX = `tsbox() { "$NODE" "$CLI" "$@" >"$DIR/out" 2>&1 || { code=$?; cat "$DIR/out" >&2; return $code; }; }
`;

test('rslave follows the host, rshared both ways, rprivate neither: mounts made on either side', async () => {
  await scene(async (box) => {
    box.write(
      'stack.yaml',
      `tsbox: 1
name: prop
containers:
  app:
    command: [sleep, infinity]
    mounts:
      - { bind: ./src, target: /run/slave, propagation: rslave }
      - { bind: ./src, target: /run/shared, propagation: rshared }
      - { bind: ./src, target: /run/private }
`,
    );
    const out = await apart(
      box,
      `${TSBOX}
mkdir -p "$DIR/src/late" "$DIR/src/own"
mount -t tmpfs src "$DIR/src" && mount --make-shared "$DIR/src" && mkdir "$DIR/src/late" "$DIR/src/own"
tsbox apply -f "$DIR/stack.yaml" --auto-approve
tsbox plan -f "$DIR/stack.yaml" --detailed-exitcode
pid=$("$NODE" "$CLI" ps --json --stack prop | sed -n 's/.*"pid": *\\([0-9]*\\).*/\\1/p' | head -1)
mount -t tmpfs late "$DIR/src/late"
seen() { grep -c " /run/$1 " "/proc/$pid/mountinfo" || true; }
echo "late in: slave $(seen slave/late) shared $(seen shared/late) private $(seen private/late)"
tsbox plan -f "$DIR/stack.yaml" --detailed-exitcode
umount "$DIR/src/late"
echo "left in: slave $(seen slave/late) shared $(seen shared/late)"
nsenter -t "$pid" -m mount -t tmpfs own /run/slave/own
echo "slave out: $(grep -c " $DIR/src/own " /proc/self/mountinfo || true)"
nsenter -t "$pid" -m umount /run/slave/own
nsenter -t "$pid" -m mount -t tmpfs own /run/shared/own
echo "shared out: $(grep -c " $DIR/src/own " /proc/self/mountinfo || true)"
nsenter -t "$pid" -m mount -t tmpfs own /run/private/own
echo "private out: $(grep -c " $DIR/src/own " /proc/self/mountinfo || true)"
tsbox destroy -f "$DIR/stack.yaml" --auto-approve`,
    );
    assert.match(out, /^late in: slave 1 shared 1 private 0$/m, out);
    assert.match(out, /^left in: slave 0 shared 0$/m, out);
    assert.match(out, /^slave out: 0$/m, out);
    assert.match(out, /^shared out: 1$/m, out);
    assert.match(out, /^private out: 1$/m, 'no second one');
  });
});

test('a volume on a file system without attributes is known by the record beside it', async () => {
  await scene(async (box) => {
    box.write(
      'stack.yaml',
      `tsbox: 1
name: plainvol
volumes: { data: { owner: "5:6", mode: 0710 } }
containers:
  app: { command: [sleep, infinity], mounts: [{ volume: data, target: /run/data }] }
`,
    );
    const out = await apart(
      box,
      `${TSBOX}
mkdir -p "$DIR/var" && mount -t ramfs ramfs "$DIR/var"
tsbox apply -f "$DIR/stack.yaml" --auto-approve
tsbox plan -f "$DIR/stack.yaml" --detailed-exitcode
stat -c 'volume %u:%g %a' "$DIR/var/volumes/plainvol/data"
stat -c 'record %a %s' "$DIR/var/volumes/plainvol/.data.label"
pid=$("$NODE" "$CLI" ps --json --stack plainvol | sed -n 's/.*"pid": *\\([0-9]*\\).*/\\1/p' | head -1)
grep ' /run/data ' "/proc/$pid/mountinfo"
chmod 700 "$DIR/var/volumes/plainvol/data"
code=0; "$NODE" "$CLI" plan -f "$DIR/stack.yaml" --detailed-exitcode || code=$?
echo "drift $code"
tsbox apply -f "$DIR/stack.yaml" --auto-approve
tsbox destroy -f "$DIR/stack.yaml" --volumes --auto-approve
find "$DIR/var" -mindepth 1 | sed 's/^/left /'`,
    );
    assert.match(out, /^volume 5:6 710$/m, out);
    assert.match(out, /^record 600 [1-9]/m, out);
    assert.match(out, / \/run\/data .* - ramfs /, out);
    assert.match(out, /^drift 2$/m, out);
    assert.not.match(out, /^left .*(data|label)/m, out);
  });
});

test('the plan warns of a tmpfs that is emptied, and of a volume that leaves the file and is kept', async () => {
  await scene(async (box) => {
    const write = (tmpfs: string, volumes: string): string =>
      box.write(
        'stack.yaml',
        `tsbox: 1
name: warned
${volumes}
containers:
  app: { command: [sleep, infinity], mounts: [{ tmpfs: /run/cache, ${tmpfs} }] }
`,
      );
    const plan = async (file: string): Promise<string> => {
      const run = await box.tsbox('plan', '-f', file);
      assert.is(run.code, 0, run.stderr);
      return run.stderr;
    };
    const file = write('size: 1MiB, mode: 0700', 'volumes: { data: {} }');
    await applied(box, file);
    write('size: 2MiB, mode: 0700', 'volumes: { data: {} }');
    assert.not.match(await plan(file), /warning/, 'a size is changed where it is');
    write('size: 1MiB, mode: 0750', 'volumes: { data: {} }');
    assert.match(
      await plan(file),
      /warning: container\/app: the tmpfs on \/run\/cache is made anew: what is in it is lost/,
    );
    write('size: 1MiB, mode: 0700', '');
    const kept = await plan(file);
    assert.match(kept, /warning: volume\/data is not in the file any more and is kept in \S+\/volumes\/warned\/data/);
    assert.not.match(kept, /tmpfs/);
    const gone = await box.tsbox('destroy', '-f', file, '--volumes', '--auto-approve');
    assert.is(gone.code, 0, gone.stderr);
  });
});

test.run();
