// What stays in memory for each running container: the proportional set size (proc_pid_smaps(5), smaps_rollup) of tsbox's
// supervisors, of conmon and of containerd's shim, each measured over as many containers running at the same time.
//
//   node bench/memory.mjs [--n 100] [--json]
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { bundleFor } from './peers.mjs';
import { cli, have, option, scene, timed } from './tools.mjs';

const N = option('--n', 100);
const { work, id, env, cleanUp } = scene();

/** Pids of running processes whose command line passes the test. */
function pids(test) {
  return readdirSync('/proc')
    .filter((n) => /^\d+$/.test(n))
    .filter((pid) => {
      try {
        return test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'), pid);
      } catch {
        return false;
      }
    });
}

/** Sums of PSS and of private memory, KiB. */
function memory(list) {
  let pss = 0;
  let own = 0;
  for (const pid of list) {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    pss += Number(/^Pss:\s+(\d+)/m.exec(text)?.[1]);
    own += [...text.matchAll(/^Private_\w+:\s+(\d+)/gm)].reduce((sum, m) => sum + Number(m[1]), 0);
  }
  return { processes: list.length, pss: pss / N, own: own / N };
}

writeFileSync(
  join(work, 'containerd.toml'),
  `version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n[plugins."io.containerd.internal.v1.opt"]\npath = "${work}/opt"\n`,
);

function ofTsbox() {
  const stack = join(work, 'many.yaml');
  const lines = Array.from({ length: N }, (_, i) => `  c${i}: { command: [/usr/bin/sleep, infinity] }\n`);
  writeFileSync(stack, `tsbox: 1\nname: many\ncontainers:\n${lines.join('')}`);
  try {
    timed(process.execPath, [cli, 'apply', '-f', stack, '--auto-approve', '-q'], { env });
    return memory(pids((line) => line.startsWith('tsbox: many/')));
  } finally {
    spawnSync(process.execPath, [cli, 'destroy', '-f', stack, '--auto-approve', '-q'], { env });
  }
}

/** Runs a script in a private unified view of the cgroups, and what it prints between the lines is the measurement. */
function ofPeer(start, test, stop) {
  const { directory } = bundleFor(work, id);
  const script = `
umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup
mount --bind / ${directory}/rootfs; mount --make-private ${directory}/rootfs
cd ${directory}
mkdir -p ${work}/state ${work}/pids
for i in $(seq ${N}); do
  mkdir -p c$i; ln -sfn ../rootfs c$i/rootfs
  sed "s/PLACE/c$i/; s,\\"rootfs\\",\\"${directory}/rootfs\\"," config.json > c$i/config.json
  (${start}) <${work}/empty >>${work}/out 2>>${work}/err || { tail -3 ${work}/err >&2; failed=1; break; }
done
sleep 1
[ -n "$failed" ] || ${process.execPath} ${process.argv[1]} --measure '${test}' --n ${N}
for i in $(seq ${N}); do ${stop}; done >/dev/null 2>&1
for i in $(seq ${N}); do runc --root ${work}/state/runc delete --force bench-$i; done >/dev/null 2>&1
find /sys/fs/cgroup/${id} -depth -type d -exec rmdir {} + 2>/dev/null
[ -z "$failed" ]
`;
  const { stdout } = timed('unshare', ['-m', '--propagation', 'private', 'sh', '-c', script]);
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

const PEERS = [
  {
    name: 'conmon',
    programs: ['conmon', 'runc'],
    measure: () =>
      ofPeer(
        `conmon --cid bench-$i --cuuid bench-$i --name bench-$i --runtime $(command -v runc) --runtime-arg=--root=${work}/state/runc --bundle $PWD/c$i --container-pidfile ${work}/pids/$i.pid --conmon-pidfile ${work}/pids/$i.conmon --log-path ${work}/pids/$i.log --persist-dir ${work}/pids --exit-dir ${work}/pids --socket-dir-path ${work}/pids && for t in $(seq 100); do [ -s ${work}/pids/$i.pid ] && break; sleep 0.05; done; runc --root ${work}/state/runc start bench-$i`,
        `^[^\\0]*conmon\\0.*${work}`,
        `kill $(cat ${work}/pids/$i.pid)`,
      ),
  },
  {
    name: 'containerd-shim-runc-v2',
    programs: ['containerd', 'ctr', 'containerd-shim-runc-v2', 'runc'],
    measure: () =>
      ofPeer(
        `[ $i != 1 ] || { containerd --root ${work}/cd --state ${work}/cds --address ${work}/cd.sock --config ${work}/containerd.toml >/dev/null 2>&1 & echo $! > ${work}/containerd.pid; for t in $(seq 100); do [ -S ${work}/cd.sock ] && break; sleep 0.1; done; }; cd c$i && ctr -a ${work}/cd.sock -n ${id} run -d --config config.json bench-$i`,
        `containerd-shim-runc-v2\\0.*${id}`,
        `ctr -a ${work}/cd.sock -n ${id} task kill -s KILL bench-$i; ctr -a ${work}/cd.sock -n ${id} task rm -f bench-$i; ctr -a ${work}/cd.sock -n ${id} container rm bench-$i; [ $i != ${N} ] || kill $(cat ${work}/containerd.pid)`,
      ),
  },
];

const measure = process.argv.indexOf('--measure');
if (measure > 0) {
  const pattern = new RegExp(process.argv[measure + 1].replaceAll('\\0', '\0'));
  console.log(JSON.stringify(memory(pids((line, pid) => pid !== String(process.pid) && pattern.test(line)))));
} else {
  const rows = [];
  const problems = [];
  try {
    rows.push({ name: 'tsbox supervisor', ...ofTsbox() });
    for (const peer of PEERS) {
      const missing = peer.programs.filter((p) => !have(p));
      if (missing.length > 0) {
        problems.push(`${peer.name}: not installed: ${missing.join(', ')}`);
        continue;
      }
      try {
        rows.push({ name: peer.name, ...peer.measure() });
      } catch (error) {
        problems.push(`${peer.name}: ${error.message.trim().split('\n').at(-1)}`);
      }
    }
  } finally {
    cleanUp();
  }
  if (process.argv.includes('--json')) {
    console.log(JSON.stringify({ n: N, kernel: release(), rows, problems }, null, 2));
  } else {
    console.log(`${N} containers running, kernel ${release()}; KiB for each container\n`);
    console.log(`${''.padEnd(26)}   PSS   private   processes`);
    for (const r of rows) {
      console.log(
        `${r.name.padEnd(26)}${r.pss.toFixed(0).padStart(6)}${r.own.toFixed(0).padStart(10)}${String(r.processes).padStart(12)}`,
      );
    }
    for (const p of problems) {
      console.log(`left out: ${p}`);
    }
  }
}
