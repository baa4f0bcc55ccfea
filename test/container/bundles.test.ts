/**
 * OCI bundles: what a probe sees when runc runs the bundle, and when tsbox runs what `tsbox convert bundle` makes of it.
 * Where runc is not here or cannot do it, what it must see is written here.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parse, stringify } from 'yaml';
import { baseConfig, makeRoot, type OciConfig } from '../support/bundles.ts';
import { assertNoLeaks, snapshot } from '../support/leaks.ts';
import { sandbox, type Sandbox } from '../support/sandbox.ts';
import { until } from '../support/wait.ts';

interface Place {
  /** A process in a network namespace of its own. */
  readonly sleeper: number;
  readonly host: Readonly<Record<string, string>>;
}

interface Bundle {
  readonly edit: (config: OciConfig, place: Place) => void;
  /** Lines of /probe.conf beyond those that every bundle has. */
  readonly looks?: readonly string[];
  /** Regular expressions that lines have to match: what must be seen, whoever runs it. */
  readonly sees?: readonly RegExp[];
  /** Keys of lines in which the runtime may differ from us, with the reason. */
  readonly differs?: Readonly<Record<string, string>>;
  /** Why runc 1.1 cannot run it. */
  readonly noPeer?: string;
  /** Files of its cgroup: controller, name on v2 and on v1, and the value or one for each. */
  readonly holds?: ReadonlyArray<readonly [string, string, string, string]>;
  /** What the conversion has to tell. */
  readonly told?: readonly RegExp[];
}

const EVERY = [
  'mount /dev/shm',
  'mount /sys',
  'open /dev/null',
  'open /dev/zero',
  'open /dev/full',
  'open /dev/urandom',
  'write /dev/null',
  'stat /dev/null',
  'stat /dev/tty',
  'file /proc/sys/net/ipv4/ip_forward',
  'write /written',
];

const bind = (destination: string, source: string, ...options: string[]): OciConfig['mounts'][number] => ({
  destination,
  type: 'none',
  source,
  options,
});

const BUNDLES: Readonly<Record<string, Bundle>> = {
  plain: {
    edit: () => undefined,
    looks: ['mount /proc', 'mount /dev/mqueue', 'mount /dev/pts'],
    sees: [/^CapBnd 0{16}$/, /^NoNewPrivs 1$/, /^Seccomp 0$/],
  },
  'root-readonly': {
    edit: (c) => (c.root.readonly = true),
    looks: ['write /tmp/x', 'write /dev/shm/x'],
    sees: [/^write \/written no$/],
  },
  'user-ids': {
    edit: (c) => (c.process['user'] = { uid: 1000, gid: 1001, additionalGids: [5, 6], umask: 0o027 }),
    looks: ['run id', 'run touch /dev/shm/f && stat -c %a:%u:%g /dev/shm/f'],
    sees: [/^Uid 1000 1000 1000 1000$/, /^Groups 5 6$/, /^Umask 0027$/, /640:1000:1001/],
    differs: { 'write /written': 'the root belongs to root in both, and is writable for nobody else' },
  },
  cwd: { edit: (c) => (c.process.cwd = '/work'), sees: [/^cwd \/work$/] },
  environment: {
    edit: (c) => {
      c.process.env.push('A=with spaces', 'B=$HOME ${not} $$', 'C=a=b', 'D=', 'E=ä"\\');
      c.process.args.push('one two', '$HOME', '${x}', '*', '');
    },
    sees: [/^env B=\$HOME \$\{not\} \$\$$/, /^env C=a=b$/, /^args one two \$HOME \$\{x\} \* ?$/],
  },
  names: {
    edit: (c) => {
      c.hostname = 'a-name';
      c.domainname = 'example.org';
    },
    noPeer: 'runc before 1.2 knows no domainname',
    sees: [/^hostname a-name$/, /^domainname example\.org$/],
  },
  'capabilities-list': {
    edit: (c) => {
      const list = ['CAP_CHOWN', 'CAP_KILL', 'CAP_NET_RAW'];
      c.process['capabilities'] = { bounding: list, effective: list, permitted: list };
    },
    looks: ['run chgrp 7 /probe.conf && stat -c %g /probe.conf', 'run mknod /dev/shm/n c 1 3'],
    sees: [/^CapEff 0{12}2021$/, /=> 7\|$/],
  },
  'capabilities-five-sets': {
    edit: (c) => {
      c.process['user'] = { uid: 1000, gid: 1000 };
      c.process['capabilities'] = {
        bounding: ['CAP_CHOWN', 'CAP_KILL', 'CAP_NET_RAW', 'CAP_SETUID'],
        permitted: ['CAP_CHOWN', 'CAP_KILL'],
        effective: ['CAP_CHOWN'],
        inheritable: ['CAP_CHOWN', 'CAP_KILL'],
        ambient: ['CAP_CHOWN'],
      };
    },
    sees: [/^CapAmb 0{15}1$/, /^CapBnd 0{12}20a1$/],
  },
  'new-privileges': { edit: (c) => (c.process['noNewPrivileges'] = false), sees: [/^NoNewPrivs 0$/] },
  limits: {
    edit: (c) =>
      (c.process['rlimits'] = [
        { type: 'RLIMIT_NOFILE', soft: 100, hard: 200 },
        { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
        { type: 'RLIMIT_FSIZE', soft: 1_000_000, hard: 2_000_000 },
      ]),
    sees: [/^limit open files 100 200/, /^limit core file size 0 0/, /^limit file size 1000000 2000000/],
  },
  'oom-score': { edit: (c) => (c.process['oomScoreAdj'] = 321), sees: [/^oom 321$/] },
  scheduling: {
    edit: (c) => {
      c.process['scheduler'] = { policy: 'SCHED_BATCH', nice: 7 };
      c.process['ioPriority'] = { class: 'IOPRIO_CLASS_IDLE' };
    },
    noPeer: 'runc before 1.2 knows neither scheduler nor ioPriority',
    looks: ['run awk \'{print "policy " $41}\' /proc/1/stat', 'run ionice -p 1'],
    sees: [/^nice 7$/, /=> policy 3\|$/, /idle/],
  },
  'masked-paths': {
    edit: (c) =>
      (c.linux.maskedPaths = [
        '/proc/kcore',
        '/proc/keys',
        '/proc/timer_list',
        '/sys/firmware',
        '/data',
        '/etc/passwd',
        '/not/there',
      ]),
    looks: [
      'empty /proc/kcore',
      'empty /proc/keys',
      'empty /proc/timer_list',
      'empty /sys/firmware',
      'empty /data',
      'empty /etc/passwd',
      'write /data/x',
    ],
    sees: [/^empty \/proc\/keys 0$/, /^empty \/data 0$/, /^empty \/etc\/passwd 0$/, /^write \/data\/x no$/],
  },
  'readonly-paths': {
    edit: (c) => (c.linux.readonlyPaths = ['/proc/sys', '/proc/irq', '/work', '/not/there']),
    looks: ['write /proc/sys/kernel/msgmax', 'write /work/x', 'write /data/x'],
    sees: [/^write \/proc\/sys\/kernel\/msgmax no$/, /^write \/work\/x no$/, /^write \/data\/x yes$/],
  },
  'namespaces-of-the-host': {
    edit: (c) => {
      c.linux.namespaces = ['pid', 'mount', 'ipc'].map((type) => ({ type }));
      delete c.hostname;
    },
    sees: [/^ns net host$/, /^ns uts host$/, /^ns cgroup host$/, /^ns ipc new$/, /^ns user host$/],
    differs: { 'mount /sys': 'sysfs of the host is bound, not mounted anew: the same file system' },
  },
  'namespace-by-path': {
    edit: (c, place) => {
      c.linux.namespaces = c.linux.namespaces.map((n) =>
        n.type === 'network' ? { type: 'network', path: `/proc/${place.sleeper}/ns/net` } : n,
      );
    },
    sees: [/^ns net joined$/, /^ns ipc new$/],
    differs: { 'mount /sys': 'a view of a network that is not its own is bound' },
  },
  'user-namespace': {
    edit: (c) => {
      c.linux.namespaces.push({ type: 'user' });
      c.linux['uidMappings'] = [
        { containerID: 0, hostID: 100_000, size: 1000 },
        { containerID: 1000, hostID: 200_000, size: 10 },
      ];
      c.linux['gidMappings'] = [{ containerID: 0, hostID: 300_000, size: 1000 }];
      c.root.readonly = true;
    },
    looks: ['stat /bin', 'stat /dev/shm'],
    sees: [
      /^ns user new$/,
      /^uid_map  ?0 100000 1000, 1000 200000 10,$/,
      /^gid_map  ?0 300000 1000,$/,
      /^stat \/bin directory 755 65534:65534/,
    ],
  },
  'time-namespace': {
    edit: (c) => {
      c.linux.namespaces.push({ type: 'time' });
      c.linux['timeOffsets'] = { monotonic: { secs: 86_400, nanosecs: 5 }, boottime: { secs: -10 } };
    },
    noPeer: 'runc before 1.2 knows no time namespaces',
    sees: [/^ns time new$/, /^timens monotonic 86400 5,boottime -10 0,$/],
  },
  'mounts-bind': {
    edit: (c) => {
      c.mounts.push(
        bind('/data', 'files', 'rbind', 'ro'),
        bind('/work', 'files', 'bind', 'nosuid', 'nodev', 'noexec'),
        bind('/made/for/it', 'files', 'bind', 'rw'),
        bind('/etc/passwd', 'files/a', 'bind', 'ro', 'rprivate'),
      );
    },
    looks: [
      'mount /data',
      'mount /work',
      'mount /made/for/it',
      'mount /etc/passwd',
      'file /data/a',
      'write /data/b',
      'write /work/c',
      'file /etc/passwd',
      'write /etc/passwd',
    ],
    sees: [
      /^mount \/work \S+ \S*noexec/,
      /^write \/data\/b no$/,
      /^write \/work\/c yes$/,
      /^file \/etc\/passwd from the bundle\|$/,
    ],
  },
  'mounts-tmpfs': {
    edit: (c) => {
      c.mounts.push(
        {
          destination: '/tmp',
          type: 'tmpfs',
          source: 'tmpfs',
          options: ['nosuid', 'nodev', 'noexec', 'mode=1777', 'size=1m'],
        },
        {
          destination: '/scratch',
          type: 'tmpfs',
          source: 'tmpfs',
          options: ['size=64k', 'mode=700', 'uid=5', 'gid=6'],
        },
      );
      c.mounts = c.mounts.map((m) =>
        m.destination === '/dev/shm' ? { ...m, options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=1m'] } : m,
      );
    },
    differs: { 'stat /tmp': 'runc gives a tmpfs the mode of the directory it covers, whatever mode= says' },
    looks: ['mount /tmp', 'mount /scratch', 'stat /scratch', 'stat /tmp', 'mount /dev/shm'],
    sees: [
      /^mount \/tmp tmpfs \S*noexec\S* .*size=1024k/,
      /^stat \/scratch directory 700 5:6/,
      /^mount \/dev\/shm .*size=1024k/,
    ],
  },
  'proc-options': {
    edit: (c) =>
      (c.mounts = c.mounts.map((m) =>
        m.destination === '/proc' ? { ...m, options: ['nosuid', 'noexec', 'nodev', 'hidepid=2'] } : m,
      )),
    looks: ['mount /proc'],
    sees: [/^mount \/proc .*hidepid=(2|invisible)/],
  },
  seccomp: {
    edit: (c) =>
      (c.linux['seccomp'] = {
        defaultAction: 'SCMP_ACT_ALLOW',
        architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64'],
        syscalls: [
          { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 13 },
          { names: ['chmod'], action: 'SCMP_ACT_ERRNO', args: [{ index: 1, value: 0o777, op: 'SCMP_CMP_EQ' }] },
          { names: ['fchmodat'], action: 'SCMP_ACT_ERRNO', args: [{ index: 2, value: 0o777, op: 'SCMP_CMP_EQ' }] },
        ],
      }),
    looks: ['run mkdir /dev/shm/d', 'run chmod 777 /probe.conf', 'run chmod 700 /probe.conf && echo well'],
    sees: [/^Seccomp 2$/, /mkdir.*Permission denied/, /chmod 777.*Operation not permitted/, /=> well\|$/],
  },
  'devices-allowed': {
    edit: (c) => {
      c.linux['devices'] = [{ path: '/dev/fuse', type: 'c', major: 10, minor: 229 }];
      c.linux.resources = {
        devices: [
          { allow: false, access: 'rwm' },
          { allow: true, type: 'c', major: 10, minor: 229, access: 'rwm' },
        ],
      };
    },
    looks: ['open /dev/fuse', 'run test -c /dev/fuse && echo there'],
    sees: [/^open \/dev\/fuse yes$/, /=> there\|$/],
  },
  'devices-denied': {
    edit: (c) => {
      c.process['capabilities'] = { bounding: ['CAP_MKNOD'], effective: ['CAP_MKNOD'], permitted: ['CAP_MKNOD'] };
      c.linux.resources = {
        devices: [
          { allow: false, access: 'rwm' },
          { allow: true, type: 'c', major: 1, minor: 11, access: 'm' },
        ],
      };
      c.mounts.push({ destination: '/nodes', type: 'tmpfs', source: 'tmpfs', options: ['mode=755'] });
    },
    looks: [
      'run mknod /nodes/kmsg c 1 11 && echo made',
      'open /nodes/kmsg',
      'run mknod /nodes/null c 1 3 && echo made',
      'open /nodes/null',
    ],
    sees: [/^run mknod \/nodes\/kmsg.*=> made\|$/, /^open \/nodes\/kmsg no$/, /^open \/nodes\/null yes$/],
  },
  sysctls: {
    edit: (c) => (c.linux['sysctl'] = { 'net.ipv4.ip_forward': '1', 'kernel.msgmax': '9000' }),
    looks: ['file /proc/sys/kernel/msgmax'],
    sees: [/^file \/proc\/sys\/net\/ipv4\/ip_forward 1\|$/, /^file \/proc\/sys\/kernel\/msgmax 9000\|$/],
  },
  personality: {
    edit: (c) => (c.linux['personality'] = { domain: 'LINUX32' }),
    noPeer: 'runc 1.1 knows no personality',
    sees: [/^machine i686$/],
  },
  hooks: {
    edit: (c) => {
      c.hooks = {
        createRuntime: [{ path: '/bin/sh', args: ['sh', '-c', 'cat > TRACE; echo runtime >> TRACE'] }],
        poststop: [{ path: '/bin/true' }],
      };
    },
  },
  resources: {
    edit: (c) => {
      c.linux.resources = {
        memory: { limit: 50_331_648, reservation: 8_388_608 },
        cpu: { quota: 50_000, period: 100_000, shares: 2048 },
        unified: { 'pids.max': '77' },
      };
    },
    noPeer: 'in a unified view of a hybrid machine runc has no controllers',
    holds: [
      ['pids', 'pids.max', 'pids.max', '77'],
      ['memory', 'memory.max', 'memory.limit_in_bytes', '50331648'],
      ['cpu', 'cpu.weight', 'cpu.shares', '200 2048'],
    ],
  },
  annotations: {
    edit: (c) => {
      c.annotations = { 'org.example.key': '$value' };
      c.process['consoleSize'] = { height: 24, width: 80 };
      c.linux['cgroupsPath'] = '/somewhere';
      (c.linux as Record<string, unknown>)['madeUp'] = true;
    },
    told: [/process\.consoleSize/, /linux\.cgroupsPath/, /linux\.madeUp: is no field/],
  },
};

/** runc's read-only sysfs is so in its superblock as well. */
const EVERYWHERE: Readonly<Record<string, (line: string) => string>> = {
  'mount /sys': (line) => line.replace(/ r[ow]$/, ''),
};

const NAMESPACES = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts'];

/** 'KEY' → line, with inodes as words, and mount options in one order and without access times. */
function seen(text: string, place: Place): Map<string, string> {
  const joined = readlinkSync(`/proc/${place.sleeper}/ns/net`);
  const lines = text.split('\n').flatMap((line): Array<[string, string]> => {
    const [word = '', second = ''] = line.split(' ');
    if (word === 'ns') {
      const inode = line.split(' ')[2] ?? '';
      return [
        [`ns ${second}`, `ns ${second} ${inode === place.host[second] ? 'host' : inode === joined ? 'joined' : 'new'}`],
      ];
    }
    if (word === 'mount') {
      const [, , fstype = '', options = '', ...rest] = line.split(' ');
      const sort = (list: string): string =>
        list
          .split(',')
          .filter((o) => !/^(relatime|inode64)$/.test(o))
          .sort()
          .join(',');
      return [[`mount ${second}`, `mount ${second} ${fstype} ${sort(options)} ${rest.map(sort).join(' ')}`]];
    }
    const keyed = ['limit', 'env', 'open', 'write', 'empty', 'file', 'stat'].includes(word);
    const key =
      word === 'run'
        ? (line.split(' =>')[0] ?? '')
        : word === 'env'
          ? `env ${second.split('=')[0]}`
          : word === 'limit'
            ? line.replace(/ (\d|unl).*/, '')
            : keyed
              ? `${word} ${second}`
              : word;
    return key === '' ? [] : [[key, line]];
  });
  return new Map(lines);
}

/** Runs every bundle under runc, in a unified view of the cgroups that only it sees. */
async function runPeer(box: Sandbox, names: readonly string[]): Promise<void> {
  const script = `umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup
for n in ${names.join(' ')}; do
  : | runc --root ${box.dir}/state run --bundle ${box.dir}/peer/$n tsbox-$n >${box.dir}/peer/$n.out 2>${box.dir}/peer/$n.err
  echo $? >${box.dir}/peer/$n.rc
  runc --root ${box.dir}/state delete --force tsbox-$n >/dev/null 2>&1
done
find /sys/fs/cgroup${box.cgroupRoot}-peer -depth -type d -exec rmdir {} + 2>/dev/null
true`;
  const { code, stderr } = await box.run('unshare', ['-m', '--propagation', 'private', 'sh', '-c', script]);
  assert.is(code, 0, stderr);
}

function logText(box: Sandbox, name: string): string {
  const file = join(box.runDir, 'bundles/logs', `${name}.log`);
  return existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .map((line) => /^\S+ \S+ F (.*)$/.exec(line)?.[1] ?? '')
        .join('\n')
    : '';
}

const hasPeer = spawnSync('runc', ['--version']).status === 0;

test('every bundle: what runc shows a program, tsbox shows it too', async () => {
  const before = await snapshot();
  const box = await sandbox('bundles');
  // Ids of a user namespace have to reach the roots.
  chmodSync(box.dir, 0o755);
  const sleeper: ChildProcess = spawn('unshare', ['-n', 'sleep', '1000'], { stdio: 'ignore' });
  try {
    const ownNet = readlinkSync('/proc/self/ns/net');
    await until('a namespace to join', () => readlinkSync(`/proc/${sleeper.pid}/ns/net`) !== ownNet);
    const host = Object.fromEntries(NAMESPACES.map((n) => [n, readlinkSync(`/proc/self/ns/${n}`)]));
    const place: Place = { sleeper: sleeper.pid ?? 0, host };
    for (const [name, bundle] of Object.entries(BUNDLES)) {
      for (const side of ['own', 'peer']) {
        const directory = join(box.dir, side, name);
        makeRoot(join(directory, 'rootfs'), [...EVERY, ...(bundle.looks ?? [])], '/bin/busybox');
        mkdirSync(join(directory, 'files'));
        writeFileSync(join(directory, 'files/a'), 'from the bundle\n');
        writeFileSync(join(directory, 'rootfs/data/secret'), 'secret\n');
        const config = baseConfig();
        bundle.edit(config, place);
        config.linux['cgroupsPath'] ??= side === 'peer' ? `${box.cgroupRoot}-peer/${name}` : undefined;
        writeFileSync(
          join(directory, 'config.json'),
          JSON.stringify(config).replaceAll('TRACE', join(directory, 'trace')),
        );
      }
    }
    const withPeer = Object.keys(BUNDLES).filter((n) => hasPeer && BUNDLES[n]?.noPeer === undefined);
    const peer = runPeer(box, withPeer);

    const containers: Record<string, unknown> = {};
    const told = new Map<string, string>();
    for (const name of Object.keys(BUNDLES)) {
      const run = await box.tsbox('convert', 'bundle', join(box.dir, 'own', name), '--name', name);
      assert.is(run.code, 0, run.stderr);
      for (const line of run.stderr.split('\n').filter((l) => l !== '')) {
        assert.ok(
          run.stdout.includes(`#   ${line.replace('not carried over: ', '')}`),
          `a comment says it too: ${line}`,
        );
      }
      told.set(name, run.stderr);
      const stack = parse(run.stdout) as { name: string; containers: Record<string, unknown> };
      assert.equal(Object.keys(stack.containers), [name]);
      Object.assign(containers, stack.containers);
    }
    box.write('bundles.yaml', stringify({ tsbox: 1, name: 'bundles', containers }));
    const applied = await box.tsbox('apply', '-f', 'bundles.yaml', '--auto-approve', '-q');
    assert.is(applied.code, 0, applied.stderr + applied.stdout);
    for (const name of Object.keys(BUNDLES)) {
      await until(`${name} is done`, () => /^done$/m.test(logText(box, name)));
    }
    await peer;

    const problems: string[] = [];
    let compared = 0;
    for (const [name, bundle] of Object.entries(BUNDLES)) {
      const notes = told.get(name) ?? '';
      for (const pattern of bundle.told ?? []) {
        if (!pattern.test(notes)) problems.push(`${name}: not told: ${pattern}\n${notes}`);
      }
      if (/container key|hooks\.\w+: hooks are not/.test(notes)) {
        console.log(
          `# ${name}: not carried over: ${notes
            .split('\n')
            .filter((l) => /container key|hooks/.test(l))
            .join('; ')}`,
        );
        continue;
      }
      compared++;
      const own = seen(logText(box, name), place);
      const lines = [...own.values()];
      for (const pattern of bundle.sees ?? []) {
        if (!lines.some((l) => pattern.test(l)))
          problems.push(`${name}: nothing like ${pattern} in:\n  ${lines.join('\n  ')}`);
      }
      for (const [controller, v2, v1, values] of bundle.holds ?? []) {
        const directory = box.cgroupDir(controller, `bundles/${name}`);
        const unified = existsSync(join(directory, 'cgroup.controllers'));
        const [one = '', other = one] = values.split(' ');
        const found = readFileSync(join(directory, unified ? v2 : v1), 'utf8').trim();
        if (found !== (unified ? one : other)) {
          problems.push(`${name}: ${unified ? v2 : v1} is ${found}, not ${values}`);
        }
      }
      if (!withPeer.includes(name)) continue;
      const text = readFileSync(join(box.dir, 'peer', `${name}.out`), 'utf8');
      if (!/^done$/m.test(text)) {
        problems.push(`${name}: runc: ${readFileSync(join(box.dir, 'peer', `${name}.err`), 'utf8')}`);
        continue;
      }
      for (const [key, line] of seen(text, place)) {
        const plain = EVERYWHERE[key] ?? ((x: string) => x);
        if (plain(own.get(key) ?? '') !== plain(line) && bundle.differs?.[key] === undefined) {
          problems.push(`${name}: ${key}\n    runc:  ${line}\n    tsbox: ${own.get(key)}`);
        }
      }
    }
    assert.is(problems.length, 0, problems.join('\n'));
    assert.ok(compared >= 20, `${compared} bundles were compared`);
    assert.is((await box.tsbox('destroy', '-f', 'bundles.yaml', '--auto-approve', '-q')).code, 0);
  } finally {
    sleeper.kill('SIGKILL');
    await box.cleanup();
  }
  assertNoLeaks(before, await snapshot());
});

test.run();
