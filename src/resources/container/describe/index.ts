/** Any running process as a container of the stack language: what a copy of it needs to be like it. */
import { TsboxError } from '../../../errors.ts';
import type { KernelReader } from '../../../kernel/reader.ts';
import { describeLimits } from '../../cgroup/describe.ts';
import { canonicalRules } from '../../devices/canonical.ts';
import { DEFAULT_DEVICE_RULES } from '../../devices/defaults.ts';
import { explainDevices } from '../../devices/explain.ts';
import { readStats } from '../../processes.ts';
import { readProcess, type ProcessFacts, type Remark, type Tell } from './facts.ts';
import { describeIdentity } from './identity.ts';
import { describeMounts } from './mounts.ts';
import { describeNamespaces, type Owner } from './namespaces.ts';
import { describeRoot } from './root.ts';
import { describeSettings, pathIn } from './settings.ts';

export type { Owner } from './namespaces.ts';
export type { Remark } from './facts.ts';

export interface DescribedProcess {
  readonly comm: string;
  /** Fields of a container as plain data, only what differs from the defaults. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** What they do not say, or say otherwise. */
  readonly remarks: readonly Remark[];
}

/**
 * Describes a process.
 * @param ownerOf the container of tsbox whose processes are in a cgroup
 * @throws TsboxError TSB2003 when there is none with this pid, or it is a thread of the kernel or a zombie
 */
export async function describeProcess(
  reader: KernelReader,
  pid: number,
  ownerOf: (cgroup: string) => Owner | undefined,
): Promise<DescribedProcess> {
  const facts = readProcess(reader, pid);
  const remarks: Remark[] = [];
  const tell: Tell = (field, text) => void remarks.push({ field, text });
  const { fields: namespaces, own } = await describeNamespaces(reader, facts, ownerOf, tell);
  const identity = describeIdentity(facts, tell);
  const self = ownerOf(facts.members.find((m) => m.pid === pid)?.cgroup ?? '');
  const root = own.has('mnt') ? describeRoot(facts, self?.rootfs, tell) : undefined;
  const fields = {
    ...identity,
    ...root?.fields,
    ...(root === undefined ? {} : describeMounts(facts, root.host, tell)),
    ...(Object.keys(namespaces).length === 0 ? {} : { namespaces }),
    ...describeSettings(reader, facts, tell),
    ...describeLimits(reader, (hierarchy) => pathIn(facts, hierarchy)),
    ...devices(reader, facts, tell),
  };
  if (readStats(reader, [pid])[0]?.startTime !== facts.stat.startTime) {
    throw new TsboxError('TSB2003', `process ${pid} (${facts.stat.comm}) ended while it was looked at`);
  }
  return { comm: facts.stat.comm, fields, remarks };
}

/** What it may do with devices, by its own cgroup and those above. */
function devices(reader: KernelReader, facts: ProcessFacts, tell: Tell): Record<string, unknown> {
  const v2 = reader.layout.hierarchies.find((h) => h.version === 2);
  const v1 = reader.layout.byController.get('devices');
  const access = explainDevices(reader, {
    v2: v2 === undefined ? undefined : pathIn(facts, v2),
    v1: v1 === undefined ? undefined : pathIn(facts, v1),
  });
  if (!access.complete) {
    tell('devices', 'a program in force could not be read: no more than these rules is allowed');
  }
  const usual = canonicalRules(DEFAULT_DEVICE_RULES);
  if (access.effective.join('\n') === usual.join('\n')) {
    return {};
  }
  const rules = access.effective.map((line) => {
    const [verb = '', ...rest] = line.split(' ');
    return { verb, what: rest.join(' ') };
  });
  const sayable = rules.filter(({ what }) => !what.includes('+'));
  if (sayable.length < rules.length) {
    tell('devices', 'reading and writing at once is decided otherwise than each alone, which the language cannot say');
  }
  return { devices: sayable.map(({ verb, what }) => ({ [verb]: what })) };
}
