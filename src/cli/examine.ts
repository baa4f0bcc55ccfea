/** What this kernel and these privileges allow, found by looking, not by version numbers. */
import { release } from 'node:os';
import type { KernelReader } from '../kernel/reader.ts';
import { delegation, remedy } from '../resources/cgroup/delegation.ts';
import { describeProcesses } from '../resources/processes.ts';
import { EVACUATED } from '../resources/scope.ts';
import { knobAccess, whyMissing } from '../resources/cgroup/access.ts';
import type { KnobFiles } from '../resources/cgroup/knob.ts';
import { KNOBS } from '../resources/cgroup/registry.ts';
import { CAPABILITIES } from '../resources/container/capabilities.ts';
import { confinementFindings } from './examine-confinement.ts';
import { NAMESPACE_ROWS } from '../resources/namespace/registry.ts';

export interface Finding {
  readonly what: string;
  readonly status: 'ok' | 'limited' | 'missing';
  readonly detail: string;
  /** Without it no container starts. */
  readonly essential: boolean;
  readonly remedy?: string;
}

/** Capabilities an apply uses, and what is lost without each. */
const NEEDED: Readonly<Record<string, string>> = {
  SYS_ADMIN: 'namespaces, mounts, labels',
  SYS_CHROOT: 'joining mount namespaces',
  SETUID: 'users of containers',
  SETGID: 'groups of containers',
  SETPCAP: 'dropping capabilities',
  DAC_OVERRIDE: 'files of other users',
  KILL: 'stopping containers of other users',
  MKNOD: 'device nodes',
  SYS_PTRACE: 'namespaces of other processes',
  SYS_RESOURCE: 'raising limits past their hard limit',
  BPF: 'device programs (SYS_ADMIN serves too)',
  NET_ADMIN: 'network namespaces with interfaces',
  SYS_TIME: 'time namespaces',
};

const ESSENTIAL = new Set(['SYS_ADMIN', 'SETUID', 'SETGID', 'SETPCAP']);

export function examine(reader: KernelReader): Finding[] {
  return [
    kernelFinding(),
    cgroupFinding(reader),
    ...delegationFindings(reader),
    ...knobFindings(reader),
    ...namespaceFindings(reader),
    ...capabilityFindings(reader),
    ...featureFindings(reader),
    ...confinementFindings(reader),
  ];
}

function kernelFinding(): Finding {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const old = major < 5 || (major === 5 && minor < 12);
  return {
    what: 'kernel',
    status: old ? 'limited' : 'ok',
    detail: release(),
    essential: false,
    ...(old ? { remedy: 'mount_setattr and idmapped mounts came with 5.12; older kernels are not tested' } : {}),
  };
}

function cgroupFinding(reader: KernelReader): Finding {
  const { layout } = reader;
  if (layout.primary === undefined) {
    return {
      what: 'cgroups',
      status: 'missing',
      detail: 'no hierarchy is mounted',
      essential: true,
      remedy: 'mount -t cgroup2 none /sys/fs/cgroup',
    };
  }
  const where = layout.hierarchies.map((h) => `${h.name} (v${h.version}) on ${h.mount}`).join(', ');
  return { what: 'cgroups', status: 'ok', detail: `${layout.mode}: ${where}`, essential: true };
}

/** What stands between our root and the controllers of the unified hierarchy, each with what would grant it. */
function delegationFindings(reader: KernelReader): Finding[] {
  const v2 = reader.layout.hierarchies.find((h) => h.version === 2);
  const root = reader.settings.cgroupRoot;
  const { withheld, threaded, inner } = delegation(reader, v2?.controllers ?? []);
  const findings = withheld.map((w): Finding => ({
    what: `delegation of ${w.controller}`,
    status: 'limited',
    detail: `${w.ancestor} does not hand it on to ${root} (cgroup.subtree_control)`,
    essential: false,
    remedy: remedy([w]),
  }));
  if (threaded !== undefined) {
    findings.push({
      what: 'cgroup.type',
      status: 'missing',
      detail: `${threaded.path} is ${threaded.type}: no container can be below it`,
      essential: true,
      remedy: 'use another root: TSBOX_CGROUP_ROOT',
    });
  }
  if (inner.length > 0) {
    findings.push({
      what: 'inner processes',
      status: 'limited',
      detail: `${describeProcesses(reader, inner.slice(0, 10))
        .map((p) => p.text)
        .join(', ')} in ${root}`,
      essential: false,
      remedy: `the first apply that needs controllers moves them to ${root}/${EVACUATED}`,
    });
  }
  return findings.length > 0 || v2 === undefined
    ? findings
    : [{ what: 'delegation', status: 'ok', detail: `${root} gets ${v2.controllers.join(', ')}`, essential: false }];
}

function knobFindings(reader: KernelReader): Finding[] {
  return KNOBS.map((knob) => {
    const access = knobAccess(reader, knob);
    return access === undefined
      ? { what: knob.name, status: 'limited' as const, detail: whyMissing(reader, knob), essential: false }
      : {
          what: knob.name,
          status: 'ok' as const,
          detail: `${filesText(access.files)} in ${access.hierarchy.name}`,
          essential: false,
        };
  });
}

/** File names, with SIZE for what each page size has of its own. */
function filesText(files: KnobFiles): string {
  return (typeof files.files === 'function' ? files.files(['SIZE']) : files.files).join(', ');
}

function namespaceFindings(reader: KernelReader): Finding[] {
  const links = reader.readLinks(NAMESPACE_ROWS.map((r) => `/proc/self/ns/${r.type}`));
  const findings = NAMESPACE_ROWS.map((row, i): Finding => {
    const link = links[i];
    return typeof link === 'string'
      ? { what: `${row.type} namespaces`, status: 'ok', detail: row.doc, essential: false }
      : {
          what: `${row.type} namespaces`,
          status: 'missing',
          detail: 'not in this kernel',
          essential: row.type === 'mnt' || row.type === 'pid',
          remedy: 'use host for this type',
        };
  });
  const bound = reader.readFiles(['/proc/sys/user/max_user_namespaces'])[0];
  if (typeof bound === 'string' && bound.trim() === '0') {
    findings.push({
      what: 'user namespaces',
      status: 'limited',
      detail: 'user.max_user_namespaces is 0',
      essential: false,
      remedy: 'sysctl user.max_user_namespaces=10000',
    });
  }
  return findings;
}

function capabilityFindings(reader: KernelReader): Finding[] {
  return Object.entries(NEEDED).map(([name, use]): Finding => {
    const bit = (CAPABILITIES as readonly string[]).indexOf(name);
    const held = ((reader.capabilities >> BigInt(bit)) & 1n) === 1n;
    return held
      ? { what: `CAP_${name}`, status: 'ok', detail: use, essential: ESSENTIAL.has(name) }
      : {
          what: `CAP_${name}`,
          status: ESSENTIAL.has(name) ? 'missing' : 'limited',
          detail: `not held; needed for ${use}`,
          essential: ESSENTIAL.has(name),
          remedy: 'run as root with this capability',
        };
  });
}

function featureFindings(reader: KernelReader): Finding[] {
  const findings: Finding[] = [];
  const filesystems = reader.readFiles(['/proc/filesystems'])[0];
  const overlay = typeof filesystems === 'string' && /\boverlay\b/.test(filesystems);
  findings.push(
    overlay
      ? { what: 'overlayfs', status: 'ok', detail: 'rootfs with an overlay', essential: false }
      : { what: 'overlayfs', status: 'limited', detail: 'not loaded', essential: false, remedy: 'modprobe overlay' },
  );
  const id = reader.namespaceIds(['/proc/self/ns/mnt'])[0];
  findings.push(
    typeof id === 'string'
      ? {
          what: 'NS_GET_ID',
          status: 'ok',
          detail: 'namespaces are told apart by an id that is never used again',
          essential: false,
        }
      : {
          what: 'NS_GET_ID',
          status: 'limited',
          detail: 'not in this kernel (6.18 has it): a pinned namespace is told by its pin and inode',
          essential: false,
        },
  );
  const primary = reader.layout.primary;
  if (primary?.version === 2) {
    const programs = reader.devicePrograms([primary.mount])[0];
    findings.push(
      Array.isArray(programs)
        ? {
            what: 'device programs',
            status: 'ok',
            detail: 'BPF on cgroup v2: set, replaced at once and read back',
            essential: false,
          }
        : {
            what: 'device programs',
            status: 'limited',
            detail: `cannot be queried (errno ${programs === undefined ? 0 : -programs})`,
            essential: false,
            remedy: 'needs CAP_SYS_ADMIN or CAP_BPF, and CONFIG_CGROUP_BPF',
          },
    );
  }
  const noexec = reader.readFiles(['/proc/sys/vm/memfd_noexec'])[0];
  if (typeof noexec === 'string' && noexec.trim() === '2') {
    findings.push({
      what: 'executable memfd',
      status: 'limited',
      detail: 'vm.memfd_noexec is 2: the supervisor runs from its file instead',
      essential: false,
    });
  }
  return findings;
}
