// Runs tests (or any command) in a QEMU guest that shares this machine's files read-only, under a kernel whose cgroup
// layout we choose. Software emulation only: some six times slower than here, so nothing is timed in it.
//
//   node scripts/guest.mjs [SUITE]… [--layout unified|v1] [--lsm apparmor|selinux] [--initramfs] [--smt]
//     [--kernel BZIMAGE] [--filter TEXT] [--shard I/N] [--again] [--command 'SHELL COMMAND']
//   node scripts/guest.mjs --prepare   only fetches the kernel
//
// --initramfs: / is the initramfs itself, with this machine's directories mounted on it.
// --smt: both processors are threads of one core. A kernel of one's own (--kernel) has built in what is otherwise a
// module: virtio_pci, virtiofs, overlay, virtio_blk, and what the tests need.
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cache = join(root, '.cache', 'guest');
const argv = process.argv.slice(2);
const option = (name, fallback) => {
  const at = argv.indexOf(name);
  return at < 0 ? fallback : argv[at + 1];
};
const layout = option('--layout', 'unified');
const lsm = option('--lsm', 'apparmor');
const smt = argv.includes('--smt');
const onInitramfs = argv.includes('--initramfs');
const ownKernel = option('--kernel', undefined);
const command = option('--command', undefined);
const filter = option('--filter', '');
const shard = option('--shard', '');
const VALUED = ['--layout', '--lsm', '--kernel', '--command', '--filter', '--shard'];
const taken = new Set(VALUED.flatMap((n) => (argv.includes(n) ? [argv.indexOf(n), argv.indexOf(n) + 1] : [])));
const suites = argv.filter((a, i) => !a.startsWith('--') && !taken.has(i));
const unknown = argv.find(
  (a, i) =>
    a.startsWith('--') && !['--prepare', '--smt', '--initramfs', '--again', ...VALUED].includes(a) && !taken.has(i),
);
if (unknown !== undefined) {
  console.error(`${unknown}: not an option; the head of this script lists them`);
  process.exit(1);
}
const LIMIT = Number(process.env.TSBOX_GUEST_TIMEOUT ?? 3000) * 1000;
// A scratch disk for io limits, loop devices, and what tests of networks need.
const MODULES = [
  'virtio_pci',
  'virtiofs',
  'overlay',
  'virtio_blk',
  'loop',
  'bfq',
  // Has idmapped mounts, which tmpfs has since Linux 6.3 only.
  'ext4',
  'veth',
  'sch_htb',
  'sch_tbf',
  'cls_u32',
  'cls_fw',
  // What CRIU asks for: sockets' diagnosis, locking of connections, tun.
  'nf_tables',
  'nf_conntrack_netlink',
  'unix_diag',
  'tcp_diag',
  'udp_diag',
  'raw_diag',
  'netlink_diag',
  'af_packet_diag',
  'tun',
];
const VIRTIOFSD = ['/usr/lib/qemu/virtiofsd', '/usr/libexec/virtiofsd'].find((p) => existsSync(p));

function have(program) {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
}

function run(program, args, options = {}) {
  const result = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 28, ...options });
  if (result.status !== 0) {
    throw new Error(`${program} ${args.join(' ')}: ${result.stderr ?? ''}${result.error ?? ''}`);
  }
  return result.stdout;
}

const missing = ['qemu-system-x86_64', 'cpio', 'depmod', 'dpkg', 'apt-get'].filter((p) => !have(p));
if (missing.length > 0 || VIRTIOFSD === undefined || !existsSync('/bin/busybox')) {
  console.log(
    `# SKIP guest: not here: ${[...missing, ...(VIRTIOFSD ? [] : ['virtiofsd']), ...(existsSync('/bin/busybox') ? [] : ['busybox'])].join(' ')}`,
  );
  console.log('  apt-get install qemu-system-x86 busybox-static cpio kmod   (npm run setup:test does it)');
  console.log('0 passed, 0 failed, 1 skipped');
  process.exit(0);
}

/** The distribution's cloud kernel, unpacked and never installed. */
function kernel() {
  if (ownKernel !== undefined) {
    return { image: ownKernel };
  }
  const unpacked = join(cache, 'kernel');
  if (!existsSync(join(unpacked, 'boot'))) {
    mkdirSync(cache, { recursive: true });
    const depends = run('apt-cache', ['depends', 'linux-image-cloud-amd64']);
    const name = /Depends: (linux-image-[^\s]*cloud-amd64)/.exec(depends)?.[1];
    if (name === undefined) {
      throw new Error('no cloud kernel package is known; run apt-get update');
    }
    run('apt-get', ['download', name], { cwd: cache });
    const file = readdirSync(cache).find((f) => f.startsWith('linux-image') && f.endsWith('.deb'));
    run('dpkg', ['-x', join(cache, file), `${unpacked}.new`]);
    run('mv', [`${unpacked}.new`, unpacked]);
    rmSync(join(cache, file));
  }
  const version = readdirSync(join(unpacked, 'lib', 'modules'))[0];
  const base = existsSync(join(unpacked, 'usr/lib/modules', version)) ? join(unpacked, 'usr') : unpacked;
  if (!existsSync(join(base, 'lib/modules', version, 'modules.dep'))) {
    run('depmod', ['-b', base, version]);
  }
  return { version, base, image: join(unpacked, 'boot', `vmlinuz-${version}`) };
}

const INIT = `#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /lower /upper /root
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
for m in $(/bin/busybox cat /modules/order); do /bin/busybox insmod /modules/$m || echo "insmod $m failed"; done
/bin/busybox mount -t virtiofs -o ro root /lower || echo "no virtiofs"
/bin/busybox mount -t tmpfs -o mode=755 tmpfs /upper
/bin/busybox mkdir -p /upper/u /upper/w
/bin/busybox mount -t overlay -o lowerdir=/lower,upperdir=/upper/u,workdir=/upper/w overlay /root
for d in proc sys dev run tmp; do /bin/busybox mkdir -p /root/$d; done
# Moved: a second one would stay beneath, where nothing of it is covered.
for d in proc sys dev; do /bin/busybox mount -o move /$d /root/$d; done
/bin/busybox mkdir -p /root/dev/pts /root/dev/shm
/bin/busybox mount -t devpts -o ptmxmode=0666 devpts /root/dev/pts
/bin/busybox mount -t tmpfs -o mode=1777 shm /root/dev/shm
/bin/busybox mount -t tmpfs -o mode=755 run /root/run
/bin/busybox mount -t tmpfs -o mode=1777 tmp /root/tmp
# The repository itself may lie below one of these.
repo='REPOSITORY'
case "$repo" in /tmp/*|/run/*|/dev/shm/*)
  /bin/busybox mkdir -p /upper/ru /upper/rw "/root$repo"
  /bin/busybox mount -t overlay -o "lowerdir=/lower$repo,upperdir=/upper/ru,workdir=/upper/rw" overlay "/root$repo";;
esac
/bin/busybox cp /guest-run /root/run/guest-run
/bin/busybox ip link set lo up
LAST
`;

const SWITCH = 'exec /bin/busybox switch_root /root /bin/sh /run/guest-run';

/** Everything below /root is mounted on the initramfs under its own name, and / stays what it is. */
const STAY = `cd /root
/bin/busybox cp /bin/busybox /busybox
for d in *; do
  if [ -L "$d" ]; then /busybox rm -rf "/$d"; /busybox cp -P "$d" "/$d"
  elif [ -d "$d" ] && [ "$d" != root ]; then /busybox mkdir -p "/$d"; /busybox mount -o rbind "$d" "/$d"; fi
done
cd /
exec /bin/sh /run/guest-run`;

function guestScript() {
  const mounts =
    layout === 'v1'
      ? [
          'mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup',
          ...[
            'cpu,cpuacct',
            'cpuset',
            'memory',
            'devices',
            'freezer',
            'blkio',
            'pids',
            'hugetlb',
            'net_cls,net_prio',
            'perf_event',
            'rdma',
            'misc',
          ].map((c) => `mkdir -p /sys/fs/cgroup/${c} && mount -t cgroup -o ${c} cgroup /sys/fs/cgroup/${c}`),
        ]
      : ['mount -t cgroup2 cgroup2 /sys/fs/cgroup'];
  const what =
    command ??
    `node scripts/test.mjs ${(suites.length > 0 ? suites : ['host', 'faults']).join(' ')}${filter === '' ? '' : ` --filter ${filter}`}${shard === '' ? '' : ` --shard ${shard}`}${argv.includes('--again') ? ' --again' : ''}`;
  return `export PATH=${process.env.PATH} HOME=/root LANG=C.UTF-8 NO_COLOR=1 TSBOX_GUEST=1 TSBOX_TEST_TIMEOUT=1500
${mounts.join('\n')}
mount -t securityfs securityfs /sys/kernel/security
cd '${root}' || exit 1
echo @@BEGIN@@
(${what}) 2>&1
echo "@@EXIT $?@@"
sync
echo 1 > /proc/sys/kernel/sysrq
echo o > /proc/sysrq-trigger
sleep 60
`;
}

/** Modules in the order of their dependencies, unpacked where they are compressed. */
function initramfs(directory, { version, base }) {
  const tree = join(directory, 'tree');
  mkdirSync(join(tree, 'bin'), { recursive: true });
  mkdirSync(join(tree, 'modules'));
  copyFileSync('/bin/busybox', join(tree, 'bin', 'busybox'));
  const order = [];
  for (const module of ownKernel === undefined ? MODULES : []) {
    const shown = run('modprobe', ['-d', base, '-S', version, '--show-depends', module]);
    for (const line of shown.split('\n')) {
      const path = /^insmod (\S+)/.exec(line)?.[1];
      if (path === undefined) {
        continue;
      }
      const name = path.split('/').at(-1);
      const target = name.replace(/\.(xz|zst|gz)$/, '');
      if (order.includes(target)) {
        continue;
      }
      order.push(target);
      if (name === target) {
        copyFileSync(path, join(tree, 'modules', name));
      } else {
        const tool = name.endsWith('.xz') ? 'xz' : name.endsWith('.zst') ? 'zstd' : 'gzip';
        writeFileSync(join(tree, 'modules', target), spawnSync(tool, ['-dc', path], { maxBuffer: 1 << 28 }).stdout);
      }
    }
  }
  writeFileSync(join(tree, 'modules', 'order'), `${order.join('\n')}\n`);
  writeFileSync(join(tree, 'init'), INIT.replace('REPOSITORY', root).replace('LAST', onInitramfs ? STAY : SWITCH));
  chmodSync(join(tree, 'init'), 0o755);
  writeFileSync(join(tree, 'guest-run'), guestScript());
  const image = join(directory, 'initramfs.cpio');
  run('sh', ['-c', `cd '${tree}' && find . | cpio -o -H newc --quiet > '${image}'`]);
  return image;
}

const work = mkdtempSync(join(tmpdir(), 'tsbox-guest-'));
const children = [];
const endAll = () => {
  for (const child of children) {
    child.kill('SIGKILL');
  }
  rmSync(work, { recursive: true, force: true });
};
// Also when nobody reads what is printed any more: a guest outlives nobody.
process.on('exit', endAll);
process.stdout.on('error', () => process.exit(1));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => process.exit(1));
}

async function boot() {
  const image = kernel();
  const initrd = initramfs(work, image);
  const socket = join(work, 'fs.sock');
  const scratch = join(work, 'scratch.img');
  writeFileSync(scratch, '');
  truncateSync(scratch, 256 * 1024 * 1024);
  const daemon = spawn(
    VIRTIOFSD,
    [`--socket-path=${socket}`, '-o', 'source=/', '-o', 'cache=always', '-o', 'sandbox=chroot'],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  children.push(daemon);
  for (let i = 0; i < 100 && !existsSync(socket); i++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const qemu = spawn(
    'qemu-system-x86_64',
    [
      '-accel',
      'tcg,thread=multi',
      '-cpu',
      // An AMD processor has no threads under emulation.
      smt ? 'max,vendor=GenuineIntel' : 'max',
      '-m',
      '4096',
      '-smp',
      smt ? '2,threads=2' : '2',
      '-object',
      'memory-backend-memfd,id=mem,size=4096M,share=on',
      '-numa',
      'node,memdev=mem',
      '-chardev',
      `socket,id=c0,path=${socket}`,
      '-device',
      'vhost-user-fs-pci,chardev=c0,tag=root',
      '-drive',
      `file=${scratch},if=virtio,format=raw`,
      '-kernel',
      image.image,
      '-initrd',
      initrd,
      '-append',
      `console=ttyS0 panic=-1 quiet security=${lsm}`,
      '-nographic',
      '-no-reboot',
      '-monitor',
      'none',
      '-serial',
      'stdio',
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  children.push(qemu);
  let output = '';
  let shown = 0;
  const show = () => {
    const begin = output.indexOf('@@BEGIN@@');
    if (begin < 0) {
      return;
    }
    const end = output.indexOf('@@EXIT');
    const from = Math.max(shown, output.indexOf('\n', begin) + 1);
    const to = end < 0 ? output.lastIndexOf('\n') + 1 : end;
    if (to > from) {
      process.stdout.write(output.slice(from, to));
      shown = to;
    }
  };
  qemu.stdout.on('data', (data) => {
    output += data.toString().replaceAll('\r', '');
    show();
  });
  qemu.stderr.on('data', (data) => process.stderr.write(data));
  const ended = await new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), LIMIT);
    qemu.on('close', () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
  const code = /@@EXIT (\d+)@@/.exec(output)?.[1];
  if (code === undefined) {
    console.log(output.slice(-4000));
    console.log(ended ? 'the guest went down without a result' : `the guest did not finish within ${LIMIT / 1000} s`);
    console.log('0 passed, 1 failed, 0 skipped');
    return 1;
  }
  return Number(code);
}

let code = 1;
try {
  if (argv.includes('--prepare')) {
    kernel();
    code = 0;
  } else {
    code = await boot();
  }
} catch (error) {
  console.error(error);
}
process.exit(code);
