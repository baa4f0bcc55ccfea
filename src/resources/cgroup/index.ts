/** Declared cgroups: inner nodes of the tree, with limits that their children inherit. */
import type { KernelReader } from '../../kernel/reader.ts';
import { attributeTable, type Value } from '../attribute.ts';
import { observeDevices } from '../devices/observe.ts';
import { desiredDevices, deviceSteps } from '../devices/steps.ts';
import type { Declared, Extra, Observed, ResourceKind } from '../kind.ts';
import type { Step } from '../step.ts';
import { describeProcesses } from '../processes.ts';
import { DEVICES_ATTRIBUTE, HIERARCHIES_ATTRIBUTE, KNOB_ATTRIBUTES } from './attributes.ts';
import { observeHierarchies, observeKnobs, observeMembers } from './observe.ts';
import { KNOB_BY_NAME } from './registry.ts';
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
  attributes: attributeTable([...KNOB_ATTRIBUTES, DEVICES_ATTRIBUTE, HIERARCHIES_ATTRIBUTE]),

  declare(stack, reader, report) {
    const hierarchies = reader.layout.hierarchies.map((h) => h.name);
    return [...stack.cgroups.values()].map((spec): Declared => {
      const address = cgroupAddress(spec.path);
      const desired: Record<string, Value> = {
        hierarchies,
        ...desiredKnobs(spec.knobs, spec.optional, address, stack, reader, report),
      };
      const devices = desiredDevices(spec.devices, stack, address, report, reader.layout);
      if (devices !== undefined) {
        desired['devices'] = devices.canonical;
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

  async observe(reader, scope, declared) {
    const wanted = new Map(declared.map((d) => [d.address, d]));
    const addresses = new Set([...wanted.keys(), ...[...scope.byAddress.keys()].filter((a) => a.startsWith(PREFIX))]);
    const present = [...addresses].filter((a) => scope.entries.has(a.slice(PREFIX.length)));
    const paths = present.map((a) => a.slice(PREFIX.length));
    const applied = paths.map((p) => scope.entries.get(p)?.label?.applied ?? null);
    const knobs = observeKnobs(
      reader,
      scope.stack,
      paths.map((path, i) => ({ path, knobs: knobCandidates(wanted.get(present[i] ?? '')?.desired, applied[i]) })),
    );
    const hierarchies = observeHierarchies(reader, scope.stack, paths);
    const members = observeMembers(reader, scope.stack, paths);
    const withDevices = paths.filter((_, i) => usesDevices(wanted.get(present[i] ?? ''), applied[i]));
    const devices = new Map(
      observeDevices(reader, scope.stack, withDevices).map((value, i) => [withDevices[i], value]),
    );
    const observed = new Map<string, Observed>();
    present.forEach((address, i) => {
      const path = paths[i] ?? '';
      const entry = scope.entries.get(path);
      const live: Record<string, Value | undefined> = { hierarchies: hierarchies[i] ?? [], ...knobs[i] };
      const rules = devices.get(path);
      if (rules !== undefined) {
        live['devices'] = rules;
      }
      observed.set(address, {
        address,
        // An unlabelled empty directory at a declared path is what an interrupted apply leaves; it is taken over.
        exists: entry?.label?.address === address || scope.blind,
        live,
        applied: applied[i] ?? null,
        extras: foreignProcesses(reader, path, members[i] ?? new Map<number, string[]>()),
        unreadable: [],
        facts: { path: `${reader.settings.cgroupRoot}/${scope.stack}/${path}` },
      });
    });
    return [...addresses].map((address) => observed.get(address) ?? absent(address));
  },

  create(declared, context) {
    const path = declared.address.slice(PREFIX.length);
    return [
      {
        op: 'cgroup-make',
        path,
        label: { address: declared.address, applied: null },
        controllers: controllersFor(context.reader, declared.desired),
      },
      ...deviceSteps(path, declared.address, context),
      ...writeSteps(context.reader, path, declared.desired, declared.desired),
      { op: 'label', path, label: { address: declared.address, applied: declared.desired } },
    ];
  },

  update(declared, changes, context) {
    const path = declared.address.slice(PREFIX.length);
    const steps: Step[] = [];
    if (changes.some((c) => c.name === 'hierarchies')) {
      steps.push({
        op: 'cgroup-make',
        path,
        label: { address: declared.address, applied: context.observed.get(declared.address)?.applied ?? null },
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
    steps.push(...knobSteps(context.reader, context.scope.stack, path, changes, declared.desired));
    steps.push({ op: 'label', path, label: { address: declared.address, applied: declared.desired } });
    return steps;
  },

  remove(observed) {
    return [{ op: 'cgroup-remove', path: observed.address.slice(PREFIX.length), kill: false }];
  },
};

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
