/** tsbox show --devices: finds the cgroup that is meant, and prints what decides about its devices. */
import { TsboxError } from '../errors.ts';
import { parseProcCgroup, parseStat } from '../kernel/proc.ts';
import { openReader, type KernelReader } from '../kernel/reader.ts';
import { explainDevices, type DevicePaths } from '../resources/devices/explain.ts';
import { directoryIn, readScope } from '../resources/scope.ts';
import { devicesText } from '../report/devices-text.ts';
import type { Arguments } from './args.ts';
import { withinHierarchy } from './cgroup-path.ts';
import { EXIT } from './exit.ts';
import { out } from './output.ts';
import { requirePrivileges, stackNameFor } from './session.ts';

interface Subject {
  readonly text: string;
  readonly paths: DevicePaths;
}

/** @throws TsboxError TSB2001, TSB2002, TSB2003 */
export async function showDevices(args: Arguments): Promise<number> {
  const wanted = args.positionals[0];
  if (wanted === undefined) {
    throw new TsboxError('TSB2001', 'show --devices takes a pid, the path of a cgroup, or an address', {
      hint: 'for example: tsbox show --devices /system.slice/ssh.service',
    });
  }
  const reader = openReader(process.env);
  requirePrivileges(reader, 'show --devices');
  const subject = await subjectOf(wanted, args, reader);
  const access = explainDevices(reader, subject.paths);
  out(
    args.flags.json === true
      ? `${JSON.stringify({ subject: subject.text, ...access }, null, 2)}\n`
      : devicesText(subject.text, access),
  );
  return EXIT.ok;
}

async function subjectOf(wanted: string, args: Arguments, reader: KernelReader): Promise<Subject> {
  if (/^\d+$/.test(wanted)) {
    return processSubject(wanted, reader);
  }
  if (wanted.startsWith('/')) {
    const mounts = reader.layout.hierarchies.map((h) => h.mount);
    const path = withinHierarchy(wanted, mounts);
    return { text: `cgroup ${path === '' ? '/' : path}`, paths: existing(path, reader) };
  }
  const { name } = await stackNameFor(args);
  const scope = readScope(reader, name);
  const entry = [...scope.byAddress].find(([address]) => address === wanted || address.endsWith(`/${wanted}`));
  if (entry === undefined) {
    throw new TsboxError('TSB2003', `no cgroup of '${wanted}' in stack ${name}`, {
      hint: `there are: ${[...scope.byAddress.keys()].slice(0, 8).join(', ') || 'none'}`,
    });
  }
  const [address, { path }] = entry;
  const full = directoryIn('', reader.settings.cgroupRoot, name, path);
  return { text: `${address} of stack ${name}: ${full}`, paths: existing(full, reader) };
}

function processSubject(pid: string, reader: KernelReader): Subject {
  const [cgroup, stat] = reader.readFiles([`/proc/${pid}/cgroup`, `/proc/${pid}/stat`]);
  if (typeof cgroup !== 'string') {
    throw new TsboxError('TSB2003', `there is no process ${pid}`);
  }
  const paths = parseProcCgroup(cgroup);
  const devices = [...paths].find(([controllers]) => controllers.split(',').includes('devices'));
  const found = { v2: paths.get(''), v1: devices?.[1] };
  // Paths outside our cgroup namespace begin with '/..' (cgroup_namespaces(7)).
  const outside = [found.v2, found.v1].find((p) => p?.startsWith('/..') === true);
  if (outside !== undefined) {
    throw new TsboxError('TSB2003', `process ${pid} is in ${outside}, outside this cgroup namespace`, {
      hint: 'run it in the namespace of the whole machine',
    });
  }
  const comm = typeof stat === 'string' ? parseStat(stat)?.comm : undefined;
  return {
    text: `process ${pid}${comm === undefined ? '' : ` (${comm})`}: ${found.v2 ?? found.v1 ?? '/'}`,
    paths: found,
  };
}

/** The hierarchies in which the path is a cgroup. */
function existing(path: string, reader: KernelReader): DevicePaths {
  const v2 = reader.layout.hierarchies.find((h) => h.version === 2);
  const v1 = reader.layout.byController.get('devices');
  const [in2, in1] = [v2, v1?.version === 1 ? v1 : undefined].map((h) =>
    h !== undefined && typeof reader.stats([`${h.mount}${path}`])[0] === 'object' ? path : undefined,
  );
  if (in2 === undefined && in1 === undefined) {
    throw new TsboxError('TSB2003', `there is no cgroup ${path === '' ? '/' : path}`, {
      hint: `looked below ${[v2?.mount, v1?.version === 1 ? v1.mount : undefined].filter((m) => m !== undefined).join(' and ')}`,
    });
  }
  return { v2: in2, v1: in1 };
}
