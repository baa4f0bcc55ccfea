/** Declared cgroups: inner nodes of the tree, with limits that their children inherit. */
import type { KernelReader } from '../../kernel/reader.ts';
import { attributeTable, type Value } from '../attribute.ts';
import { observeDevices } from '../devices/observe.ts';
import { desiredDevices, deviceSteps } from '../devices/steps.ts';
import { isNetwork, NETWORK_ATTRIBUTES } from '../network/attributes.ts';
import { observeNetwork, usesNetwork } from '../network/observe.ts';
import { desiredNetwork, networkChangeSteps, networkSteps } from '../network/steps.ts';
import type { Declared, Extra, Observed, Problem, ResourceKind } from '../kind.ts';
import { directoryIn, type StackScope } from '../scope.ts';
import type { Step } from '../step.ts';
import type { Stack } from '../../stack/types.ts';
import { TsboxError } from '../../errors.ts';
import { lifecycleRecord, recordedLifecycle } from '../lifecycle.ts';
import { describeProcesses } from '../processes.ts';
import { ADOPTED_ATTRIBUTE, DEVICES_ATTRIBUTE, HIERARCHIES_ATTRIBUTE, KNOB_ATTRIBUTES } from './attributes.ts';
import { observeKnobs, observePresence } from './observe.ts';
import { KNOB_BY_NAME } from './registry.ts';
import type { CgroupSpec } from './schema.ts';
import { controllersFor, desiredKnobs, knobSteps, writeSteps } from './writes.ts';

const PREFIX = 'cgroup/';

export function cgroupAddress(path: string): string {
  return PREFIX + path;
}

function parentOf(path: string): string | undefined {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? undefined : path.slice(0, slash);
}

/** The knob names to look at, with the values that a rounded reading may stand for: declared, then last applied. */
export function knobCandidates(
  desired: Readonly<Record<string, Value>> | undefined,
  applied: Readonly<Record<string, Value>> | null | undefined,
): Map<string, Array<Value | undefined>> {
  const candidates = new Map<string, Array<Value | undefined>>();
  for (const name of [...Object.keys(desired ?? {}), ...Object.keys(applied ?? {})]) {
    if (KNOB_BY_NAME.has(name) && !candidates.has(name)) {
      const last = applied?.[name];
      candidates.set(name, last === undefined ? [desired?.[name]] : [desired?.[name], last]);
    }
  }
  return candidates;
}

export const cgroupKind: ResourceKind = {
  kind: 'cgroup',
  attributes: attributeTable([
    ...KNOB_ATTRIBUTES,
    DEVICES_ATTRIBUTE,
    ...NETWORK_ATTRIBUTES,
    HIERARCHIES_ATTRIBUTE,
    ADOPTED_ATTRIBUTE,
  ]),

  declare(stack, reader, report) {
    const hierarchies = reader.layout.hierarchies.map((h) => h.name);
    return [...stack.cgroups.values()].map((spec): Declared => {
      const address = cgroupAddress(spec.path);
      const own: Record<string, Value> = spec.location === null ? { hierarchies } : { adopted: spec.location };
      const desired = {
        ...own,
        ...desiredKnobs(spec.knobs, spec.optional, address, stack, reader, report),
        ...desiredNetwork(spec.network, spec.optional, address, stack, reader, report),
      };
      const devices = desiredDevices(spec.devices, stack, address, report, reader);
      if (devices !== undefined) {
        desired['devices'] = devices.canonical;
      }
      if (spec.location !== null) {
        checkAdoption(spec, address, stack, reader, report);
      }
      const parent = parentOf(spec.path);
      return {
        address,
        kind: 'cgroup',
        desired,
        needs: parent === undefined ? [] : [cgroupAddress(parent)],
        shares: [],
        waits: [],
        at: stack.locate(address, []),
      };
    });
  },

  async observe(reader, scope, declared, stack) {
    const wanted = new Map(declared.map((d) => [d.address, d]));
    const addresses = new Set([...wanted.keys(), ...[...scope.byAddress.keys()].filter((a) => a.startsWith(PREFIX))]);
    const located = [...addresses].map((address) => ({ address, path: pathOf(address, stack, scope) }));
    const present = located.filter(({ path }) => scope.entries.has(path));
    const paths = present.map((p) => p.path);
    const applied = paths.map((p) => scope.entries.get(p)?.label?.applied ?? null);
    const knobs = observeKnobs(
      reader,
      scope.stack,
      present.map(({ address, path }, i) => ({
        path,
        knobs: knobCandidates(wanted.get(address)?.desired, applied[i]),
      })),
    );
    const presence = observePresence(reader, scope.stack, paths);
    const withDevices = present.flatMap(({ address, path }, i) =>
      usesDevices(wanted.get(address), applied[i]) ? [path] : [],
    );
    const devices = new Map(
      observeDevices(reader, scope.stack, withDevices).map((value, i) => [withDevices[i], value]),
    );
    const network = observeNetwork(
      reader,
      scope.stack,
      paths,
      present.map(({ address }, i) => usesNetwork(wanted.get(address)?.desired, applied[i])),
    );
    const observed = new Map<string, Observed>();
    present.forEach(({ address, path }, i) => {
      const entry = scope.entries.get(path);
      const labelled = entry?.label?.address === address;
      const elsewhere = path.startsWith('/');
      const live: Record<string, Value | undefined> = elsewhere
        ? { adopted: labelled ? path : 'no', ...knobs[i] }
        : { hierarchies: presence[i]?.hierarchies ?? [], ...knobs[i] };
      const rules = devices.get(path);
      if (rules !== undefined) {
        live['devices'] = rules;
      }
      Object.assign(live, network[i]?.live);
      const before = entry?.label?.adopted?.before;
      observed.set(address, {
        address,
        // An unlabelled empty directory at a declared path is what an interrupted apply leaves; it is taken over.
        exists: labelled || elsewhere || scope.blind,
        live,
        applied: labelled ? (applied[i] ?? null) : null,
        ...(labelled ? recordedLifecycle(entry?.label ?? {}) : {}),
        ...(before === undefined ? {} : { defaults: before }),
        // Whoever lives in an adopted cgroup belongs there, and so do the programs of its owner.
        extras: elsewhere
          ? []
          : [...(network[i]?.extras ?? []), ...foreignProcesses(reader, path, presence[i]?.members ?? new Map())],
        unreadable: network[i]?.unreadable ?? [],
        facts: {
          ...(before === undefined ? {} : { adopted: 'yes' }),
          path: directoryIn('', reader.settings.cgroupRoot, scope.stack, path),
          leaf: path,
        },
      });
    });
    return [...addresses].map((address) => observed.get(address) ?? absent(address));
  },

  create(declared, context) {
    const path = pathOf(declared.address, context.stack, context.scope);
    const was = context.observed.get(declared.address)?.isProtected;
    const label = { address: declared.address, applied: declared.desired, ...lifecycleRecord(declared.lifecycle, was) };
    return [
      {
        op: 'cgroup-make',
        path,
        label: { ...label, applied: null },
        controllers: controllersFor(context.reader, declared.desired),
      },
      ...deviceSteps(path, declared.address, context),
      ...networkSteps(path, declared.desired),
      ...writeSteps(context.reader, path, declared.desired, declared.desired),
      { op: 'label', path, label },
    ];
  },

  update(declared, changes, context) {
    const path = pathOf(declared.address, context.stack, context.scope);
    const observed = context.observed.get(declared.address);
    // Below an adopted cgroup there may be some that we made ourselves: those have a label without what was before.
    const theirs = path.startsWith('/') && (observed?.live['adopted'] === 'no' || observed?.defaults !== undefined);
    const label = {
      address: declared.address,
      applied: declared.desired,
      ...lifecycleRecord(declared.lifecycle, observed?.isProtected),
      ...(theirs ? { adopted: { before: foundBefore(declared, observed) } } : {}),
    };
    const steps: Step[] = [];
    if (theirs) {
      steps.push({ op: 'cgroup-adopt', path, label: { ...label, applied: observed?.applied ?? null } });
    } else if (changes.some((c) => c.name === 'hierarchies')) {
      steps.push({
        op: 'cgroup-make',
        path,
        label: { address: declared.address, applied: observed?.applied ?? null },
        controllers: controllersFor(context.reader, declared.desired),
      });
    }
    const devices = changes.find((c) => c.name === 'devices');
    if (devices !== undefined) {
      steps.push(
        ...(devices.after === undefined
          ? [{ op: 'devices-clear', path } as const]
          : deviceSteps(path, declared.address, context)),
      );
    }
    steps.push(...networkChangeSteps(path, changes, declared.desired));
    steps.push(...knobSteps(context.reader, context.scope.stack, path, changes, declared.desired));
    steps.push({ op: 'label', path, label });
    return steps;
  },

  remove(observed, context) {
    const path = pathOf(observed.address, undefined, context.scope);
    if (observed.defaults === undefined) {
      return [{ op: 'cgroup-remove', path, kill: false }];
    }
    const mine = Object.entries(observed.defaults).filter(([name]) => observed.applied?.[name] !== undefined);
    const back = Object.fromEntries(mine);
    return [
      ...networkSteps(path, back),
      ...writeSteps(context.reader, path, back, back),
      { op: 'cgroup-release', path },
    ];
  },
};

/** Path as steps name it: below the stack's directory, or absolute where the cgroup stands elsewhere. */
function pathOf(address: string, stack: Stack | undefined, scope: StackScope): string {
  const name = address.slice(PREFIX.length);
  const spec = stack?.cgroups.get(name);
  return spec === undefined ? (scope.byAddress.get(address)?.path ?? name) : (spec.location ?? name);
}

/** An adopted cgroup has to be there; its children may be made. */
function checkAdoption(
  spec: CgroupSpec,
  address: string,
  stack: Stack,
  reader: KernelReader,
  report: (problem: Problem) => void,
): void {
  const mount = reader.layout.primary?.mount ?? '';
  const root = reader.settings.cgroupRoot;
  const path = spec.location ?? '';
  const at = stack.locate(address, ['adopt']);
  if (path === root || path.startsWith(`${root}/`)) {
    const error = new TsboxError('TSB1009', `${address}: ${path} is within tsbox's own root`, { at, address });
    report({ severity: 'error', error });
  } else if (!spec.path.includes('/') && typeof reader.stats([`${mount}${path}`])[0] !== 'object') {
    const error = new TsboxError('TSB1009', `${address}: there is no cgroup ${path} in ${mount}`, {
      at,
      address,
      hint: 'only what exists can be adopted; without adopt: tsbox makes a cgroup of its own',
    });
    report({ severity: 'error', error });
  }
}

/** What the owner had: as recorded at the adoption, with what the stack sets since then for the first time. */
function foundBefore(declared: Declared, observed: Observed | undefined): Record<string, Value> {
  const before: Record<string, Value> = {};
  for (const name of Object.keys(declared.desired)) {
    const value = observed?.defaults?.[name] ?? observed?.live[name];
    if ((KNOB_BY_NAME.has(name) || isNetwork(name)) && value !== undefined) {
      before[name] = value;
    }
  }
  return { ...before, ...observed?.defaults };
}

function usesDevices(
  declared: Declared | undefined,
  applied: Readonly<Record<string, Value>> | null | undefined,
): boolean {
  return declared?.desired['devices'] !== undefined || applied?.['devices'] !== undefined;
}

function absent(address: string): Observed {
  return { address, exists: false, live: {}, applied: null, extras: [], unreadable: [], facts: {} };
}

/** Our processes always sit in leaves, so whatever is in an inner node was put there by somebody else. */
function foreignProcesses(
  reader: KernelReader,
  path: string,
  members: ReadonlyMap<number, readonly string[]>,
): Extra[] {
  const pids = [...members.keys()];
  return describeProcesses(reader, pids).map(({ pid, text }) => ({
    what: 'process',
    text: `${text} in ${(members.get(pid) ?? []).join(', ')}`,
    steps: [{ op: 'evict', path, pids: [pid] }],
  }));
}
