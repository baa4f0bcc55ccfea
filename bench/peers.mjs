// Other programs that start containers, asked for what the benchmark's stack asks of tsbox: every namespace new, a user
// map, the usual mounts, no capabilities, a cgroup. Each runs in a loop inside a private unified view of the cgroups.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { have, timed } from './tools.mjs';

const mount = (destination, type, options, source = type) => ({ destination, type, source, options });

/** config.json of an OCI bundle; PLACE is filled in for each container. */
function config(id) {
  return {
    ociVersion: '1.0.2',
    process: {
      user: { uid: 0, gid: 0 },
      args: ['/usr/bin/sleep', 'infinity'],
      env: ['PATH=/usr/bin:/bin'],
      cwd: '/',
      noNewPrivileges: true,
      capabilities: { bounding: [], effective: [], permitted: [] },
    },
    root: { path: 'rootfs', readonly: true },
    hostname: 'bench',
    mounts: [
      mount('/proc', 'proc', ['nosuid', 'nodev', 'noexec']),
      mount('/sys', 'sysfs', ['nosuid', 'nodev', 'noexec', 'ro']),
      mount('/dev', 'tmpfs', ['nosuid', 'mode=755', 'size=65536k']),
      mount('/dev/pts', 'devpts', ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666']),
      mount('/dev/shm', 'tmpfs', ['nosuid', 'nodev', 'noexec', 'mode=1777']),
      mount('/dev/mqueue', 'mqueue', ['nosuid', 'nodev', 'noexec']),
      mount('/tmp', 'tmpfs', ['nosuid', 'nodev', 'mode=1777']),
      mount('/run', 'tmpfs', ['nosuid', 'nodev', 'mode=755']),
    ],
    linux: {
      namespaces: ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup', 'user'].map((type) => ({ type })),
      uidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
      gidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
      maskedPaths: ['/proc/kcore', '/proc/keys', '/proc/timer_list', '/sys/firmware'],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys'],
      cgroupsPath: `/${id}/PLACE`,
    },
  };
}

/** A directory with a config.json and an empty rootfs/, and a file for standard input. */
export function bundleFor(work, id) {
  const directory = join(work, 'bundle');
  mkdirSync(join(directory, 'rootfs'), { recursive: true });
  writeFileSync(join(directory, 'config.json'), JSON.stringify(config(id)));
  // A runtime with a user map gives its standard streams to the container's user: none of them may be a device.
  writeFileSync(join(work, 'empty'), '');
  return { directory };
}

/**
 * The peers, each with a function that starts `n` containers and returns the milliseconds that took; what was started
 * is removed outside the timing.
 * @param work a directory of ours
 * @param id a word that names what is made
 */
export function peers(work, id) {
  const { directory } = bundleFor(work, id);
  // Where CAP_SYS_RESOURCE is missing, crun stops at setrlimit; this makes that call say yes.
  writeFileSync(
    join(work, 'yes.c'),
    'int setrlimit(int a, const void *b) { (void)a; (void)b; return 0; }\nint setrlimit64(int a, const void *b) { (void)a; (void)b; return 0; }\n',
  );
  timed('cc', ['-shared', '-fPIC', '-o', join(work, 'yes.so'), join(work, 'yes.c')]);
  writeFileSync(join(work, 'crun-yes'), `#!/bin/sh\nLD_PRELOAD=${work}/yes.so exec crun "$@"\n`, { mode: 0o755 });

  const timedLoop = (n, prepare, start, remove) => {
    const script = `
umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup
mount --bind / ${directory}/rootfs; mount --make-private ${directory}/rootfs
cd ${directory}
for i in $(seq ${n}); do ${prepare}; done
failed=
began=$(date +%s%N)
for i in $(seq ${n}); do ${start} <${work}/empty >${work}/out 2>>${work}/err || { failed=1; break; }; done
ended=$(date +%s%N)
for i in $(seq ${n}); do ${remove} >/dev/null 2>&1; done
find /sys/fs/cgroup/${id} -depth -type d -exec rmdir {} + 2>/dev/null
[ -z "$failed" ] || { tail -3 ${work}/err >&2; exit 1; }
echo $(( (ended - began) / 1000 ))
`;
    rmSync(join(work, 'state'), { recursive: true, force: true });
    const { stdout } = timed('unshare', ['-m', '--propagation', 'private', 'sh', '-c', script]);
    return Number(stdout.trim().split('\n').at(-1)) / 1000;
  };
  const runtime = (name, program) => (n) =>
    timedLoop(
      n,
      'mkdir -p c$i; ln -sfn ../rootfs c$i/rootfs; sed "s/PLACE/c$i/; s,\\"rootfs\\",\\"../rootfs\\"," config.json > c$i/config.json',
      `${program} --root ${work}/state run --detach --bundle c$i bench-$i`,
      `${name} --root ${work}/state delete --force bench-$i`,
    );
  const podman = `podman --root ${work}/podman --runroot ${work}/state --cgroup-manager cgroupfs --runtime ${work}/crun-yes`;
  return [
    { name: 'crun run --detach, in a loop', program: 'crun', measure: runtime('crun', `${work}/crun-yes`) },
    { name: 'runc run --detach, in a loop', program: 'runc', measure: runtime('runc', 'runc') },
    {
      name: 'podman run -d, in a loop',
      program: 'podman',
      measure: (n) =>
        timedLoop(
          n,
          ':',
          `${podman} run -d --network none --pids-limit -1 --read-only --read-only-tmpfs=false --tmpfs /tmp:notmpcopyup --tmpfs /run:notmpcopyup --cap-drop all --security-opt no-new-privileges --cgroup-parent /${id} --name b$i --rootfs ${directory}/rootfs /usr/bin/sleep infinity`,
          `${podman} rm -f -t 0 b$i`,
        ),
    },
    {
      name: 'bubblewrap, started and ended',
      program: 'bwrap',
      measure: (n) =>
        timedLoop(
          n,
          ':',
          'bwrap --unshare-all --unshare-user --die-with-parent --cap-drop ALL --ro-bind / / --proc /proc --dev /dev --tmpfs /tmp --tmpfs /run /bin/true',
          ':',
        ),
    },
  ].filter(({ program }) => have(program));
}

/** Peers that are not on this machine. */
export function missingPeers() {
  return ['crun', 'runc', 'podman', 'bwrap'].filter((p) => !have(p));
}
