// Installs the Debian packages that the full test run uses and this machine lacks.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const has = (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
const wanted = [
  ['strace', () => has('strace')],
  ['cpio', () => has('cpio')],
  ['kmod', () => has('depmod')],
  ['busybox-static', () => existsSync('/bin/busybox')],
  ['qemu-system-x86', () => has('qemu-system-x86_64')],
  ['util-linux', () => has('nsenter') && has('unshare')],
  ['procps', () => has('pgrep')],
  ['xz-utils', () => has('xz')],
  ['criu', () => has('criu')],
  ['apparmor', () => has('apparmor_parser')],
  ['checkpolicy', () => has('checkpolicy')],
  ['iptables', () => has('iptables')],
  ['iproute2', () => has('ip')],
  ['runc', () => has('runc')],
  ['zstd', () => has('zstd')],
  ['skopeo', () => has('skopeo')],
  ['docker-registry', () => has('docker-registry')],
  ['python3', () => has('python3')],
  ['gnupg', () => has('gpg') && has('gpg-agent')],
  ['chromium', () => has('chromium') || has('chromium-browser') || has('google-chrome')],
];
const missing = wanted.filter(([, present]) => !present()).map(([name]) => name);
if (missing.length === 0) {
  console.log('Everything the tests use is here.');
  process.exit(0);
}
if (!has('apt-get') || process.getuid?.() !== 0) {
  console.log(
    `Not here: ${missing.join(' ')}. Install them with your package manager; tests that need them are skipped and say so.`,
  );
  process.exit(0);
}
const run = (args) =>
  spawnSync('apt-get', args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  }).status;
run(['update', '-qq']);
const status = run(['install', '-y', '-qq', '--no-install-recommends', ...missing]);
console.log(status === 0 ? `Installed ${missing.join(' ')}.` : `Could not install ${missing.join(' ')}.`);
process.exit(status ?? 1);
