/** OCI bundles for tests: a busybox root, the configuration runc itself would write, and a probe that tells what it sees. */
import { copyFileSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface OciConfig {
  ociVersion: string;
  root: { path: string; readonly?: boolean };
  hostname?: string;
  domainname?: string;
  process: Record<string, unknown> & { args: string[]; env: string[]; cwd: string };
  mounts: Array<{ destination: string; type?: string; source?: string; options?: string[] }>;
  hooks?: Record<string, unknown>;
  annotations?: Record<string, string>;
  linux: Record<string, unknown> & {
    namespaces: Array<{ type: string; path?: string }>;
    resources?: Record<string, unknown>;
    maskedPaths?: string[];
    readonlyPaths?: string[];
  };
}

const APPLETS = [
  'sh',
  'cat',
  'chgrp',
  'chmod',
  'grep',
  'head',
  'hostname',
  'id',
  'ln',
  'ls',
  'mkdir',
  'mknod',
  'mount',
  'nice',
  'readlink',
  'rm',
  'rmdir',
  'sed',
  'sleep',
  'sort',
  'stat',
  'taskset',
  'touch',
  'tr',
  'true',
  'wc',
  'chrt',
  'ionice',
  'env',
  'uname',
  'awk',
];

/**
 * Prints 'KEY VALUE' lines. What is looked at beyond the process itself comes from /probe.conf: lines of 'mount PATH',
 * 'open PATH', 'write PATH', 'empty PATH', 'file PATH', 'run COMMAND'.
 */
const PROBE = `#!/bin/sh
for k in Uid Gid Groups CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Seccomp Umask; do
  echo "$k $(sed -n "s/^$k:[[:space:]]*//p" /proc/$$/status | tr '\\t' ' ' | sed 's/ *$//')"
done
grep -E '^Max (open files|core file size|processes|stack size|file size|locked memory)' /proc/$$/limits | sed 's/  */ /g; s/ $//; s/^Max /limit /'
for n in cgroup ipc mnt net pid time user uts; do echo "ns $n $(readlink /proc/$$/ns/$n)"; done
echo "cwd $(pwd)"
env | grep -v '^\\(SHLVL\\|PWD\\|OLDPWD\\|_\\|HOME\\)=' | sort | sed 's/^/env /'
echo "args $*"
echo "hostname $(cat /proc/sys/kernel/hostname)"
echo "domainname $(cat /proc/sys/kernel/domainname)"
echo "uid_map $(sed 's/  */ /g' /proc/self/uid_map | tr '\\n' ',')"
echo "gid_map $(sed 's/  */ /g' /proc/self/gid_map | tr '\\n' ',')"
echo "timens $(sed 's/  */ /g' /proc/self/timens_offsets | tr '\\n' ',')"
echo "oom $(cat /proc/$$/oom_score_adj)"
echo "nice $(sed 's/.*) //' /proc/$$/stat | awk '{print $17}')"
echo "machine $(uname -m)"
while read -r what path; do
  case "$what" in
    mount) awk -v p="$path" '$5==p {l=$6; f=""; for(i=7;i<=NF;i++) if($i=="-"){f=$(i+1); s=$(i+3)} o=""; for(i=7;$i!="-";i++){sub(/:.*/,"",$i); o=o" "$i} r="mount "p" "f" "l o" | "s} END{print r==""?"mount "p" none":r}' /proc/self/mountinfo;;
    open) if (: < "$path") 2>/dev/null; then echo "open $path yes"; else echo "open $path no"; fi;;
    write) if (: > "$path") 2>/dev/null; then echo "write $path yes"; else echo "write $path no"; fi;;
    empty) if [ -d "$path" ]; then echo "empty $path $(ls -A "$path" | wc -l)"; else echo "empty $path $(head -c 64 "$path" 2>/dev/null | wc -c)"; fi;;
    file) echo "file $path $(cat "$path" 2>&1 | tr '\\n' '|')";;
    stat) echo "stat $path $(stat -c '%F %a %u:%g %t:%T' "$path" 2>&1)";;
    run) echo "run $path => $(sh -c "$path" 2>&1 | tr '\\n' '|')";;
  esac
done < /probe.conf
echo done
`;

/** Writes a root whose /probe looks at what `looks` says. Every run has its own: what a container writes stays in it. */
export function makeRoot(directory: string, looks: readonly string[], busybox: string): void {
  for (const d of ['bin', 'proc', 'sys', 'dev', 'etc', 'tmp', 'run', 'data', 'work']) {
    mkdirSync(join(directory, d), { recursive: true });
  }
  try {
    linkSync(busybox, join(directory, 'bin/busybox'));
  } catch {
    copyFileSync(busybox, join(directory, 'bin/busybox'));
  }
  for (const applet of APPLETS) {
    symlinkSync('busybox', join(directory, 'bin', applet));
  }
  writeFileSync(join(directory, 'probe'), PROBE, { mode: 0o755 });
  writeFileSync(join(directory, 'probe.conf'), looks.map((l) => `${l}\n`).join(''));
  writeFileSync(join(directory, 'etc/passwd'), 'root:x:0:0::/:/bin/sh\n');
}

const mount = (destination: string, type: string, options: string[], source = type): OciConfig['mounts'][number] => ({
  destination,
  type,
  source,
  options,
});

/** What `runc spec` writes, made silent: no terminal, a probe for a program. */
export function baseConfig(): OciConfig {
  return {
    ociVersion: '1.0.2',
    root: { path: 'rootfs' },
    hostname: 'bundle',
    process: {
      user: { uid: 0, gid: 0 },
      args: ['/bin/sh', '/probe'],
      env: ['PATH=/bin'],
      cwd: '/',
      noNewPrivileges: true,
      capabilities: { bounding: [], effective: [], permitted: [] },
    },
    mounts: [
      mount('/proc', 'proc', ['nosuid', 'noexec', 'nodev']),
      mount('/dev', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
      mount('/dev/pts', 'devpts', ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5']),
      mount('/dev/shm', 'tmpfs', ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k']),
      mount('/dev/mqueue', 'mqueue', ['nosuid', 'noexec', 'nodev']),
      mount('/sys', 'sysfs', ['nosuid', 'noexec', 'nodev', 'ro']),
    ],
    linux: {
      namespaces: ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'].map((type) => ({ type })),
      resources: { devices: [{ allow: false, access: 'rwm' }] },
      maskedPaths: [],
      readonlyPaths: [],
    },
  };
}
