/** Containers: a supervised process with its namespaces, its root and its leaf cgroup. */
import { controllersFor, knobSteps, writeSteps } from '../cgroup/writes.ts';
import { deviceSteps } from '../devices/steps.ts';
import type { AttributeChange, Declared, ResourceKind, StepContext } from '../kind.ts';
import { lifecycleRecord } from '../lifecycle.ts';
import { sysctlSteps } from '../namespace/sysctls.ts';
import { networkChangeSteps, networkSteps } from '../network/steps.ts';
import type { LabelDraft, Step } from '../step.ts';
import { CONTAINER_ATTRIBUTES } from './attributes.ts';
import { declareContainer, leafPath, PREFIX, restartPolicy } from './declare.ts';
import { hooksTimeout } from './hooks.ts';
import { healthSteps } from './health.ts';
import { packedParts } from './image.ts';
import { defaultTargets, mountSteps } from './mounts/index.ts';
import { observeContainers } from './observe.ts';
import { leafName } from './replica-names.ts';
import { rests, restingSince } from './rest.ts';
import { SETTING_NAMES, settingsFrom } from './process/settings.ts';
import type { ContainerSpec } from './schema.ts';

function nameOf(address: string): string {
  return address.slice(PREFIX.length);
}

function specOf(declared: Declared, context: StepContext): ContainerSpec {
  const spec = context.stack?.containers.get(nameOf(declared.address));
  if (spec === undefined) {
    throw new Error(`${declared.address} is not in the stack`);
  }
  return spec;
}

function isResting(declared: Declared, context: StepContext): boolean {
  return rests(context.observed.get(declared.address)?.facts);
}

function labelFor(declared: Declared, spec: ContainerSpec, done: boolean, context: StepContext): LabelDraft {
  return {
    address: declared.address,
    ...lifecycleRecord(declared.lifecycle, context.observed.get(declared.address)?.isProtected),
    applied: done ? declared.desired : null,
    needs: declared.needs,
    ...(isResting(declared, context)
      ? { stopped: restingSince(context.observed.get(declared.address)?.facts ?? {}) }
      : {}),
    stop: {
      signal: spec.stopSignal,
      graceMs: spec.stopGracePeriod + hooksTimeout(spec.hooks, 'pre_stop', 'post_stop'),
    },
  };
}

/** What has to be there before anything is ended. */
function imageSteps(spec: ContainerSpec): Step[] {
  const parts = packedParts(spec);
  const digests = Object.fromEntries(parts.map(({ target, packed }) => [target, packed.found?.digest ?? null]));
  return parts.length === 0 ? [] : [{ op: 'image', container: spec.name, digests }];
}

/** Steps that start the process in an existing leaf, after what it waits for; none for one that rests. */
function startSteps(declared: Declared, context: StepContext): Step[] {
  if (isResting(declared, context)) {
    return [];
  }
  return [
    ...declared.waits
      .filter((w) => w.condition !== 'started')
      .map((w): Step => ({
        op: w.condition === 'completed' ? 'await-completed' : 'await-healthy',
        container: nameOf(w.address),
        ...(w.optional === true ? { unlessFor: nameOf(declared.address) } : {}),
      })),
    { op: 'start', container: nameOf(declared.address) },
  ];
}

export const containerKind: ResourceKind = {
  kind: 'container',
  attributes: CONTAINER_ATTRIBUTES,

  declare(stack, reader, report) {
    return [...stack.containers.values()].map((spec) => declareContainer(spec, stack, reader, report));
  },

  observe(reader, scope, declared, stack) {
    return observeContainers(reader, scope, declared, stack?.volumes);
  },

  create(declared, context) {
    const spec = specOf(declared, context);
    const path = leafPath(spec);
    const writes = writeSteps(context.reader, path, declared.desired, declared.desired);
    return [
      ...imageSteps(spec),
      {
        op: 'cgroup-make',
        path,
        label: labelFor(declared, spec, false, context),
        controllers: controllersFor(context.reader, declared.desired),
      },
      ...deviceSteps(path, declared.address, context),
      ...networkSteps(path, declared.desired),
      ...writes.filter((step) => step.op !== 'freeze'),
      ...healthSteps(path, spec.healthcheck),
      ...startSteps(declared, context),
      // A process that is born frozen never gets as far as its exec.
      ...writes.filter((step) => step.op === 'freeze'),
      { op: 'label', path, label: labelFor(declared, spec, true, context) },
    ];
  },

  update(declared, changes, context) {
    const spec = specOf(declared, context);
    const path = leafPath(spec);
    const changed = new Map(changes.map((c) => [c.name, c]));
    const steps: Step[] = [];
    if (changed.has('hierarchies')) {
      steps.push({
        op: 'cgroup-make',
        path,
        label: {
          ...labelFor(declared, spec, true, context),
          applied: context.observed.get(declared.address)?.applied ?? null,
        },
        controllers: controllersFor(context.reader, declared.desired),
      });
    }
    if (changed.has('devices')) {
      steps.push(...deviceSteps(path, declared.address, context));
    }
    steps.push(...networkChangeSteps(path, changes, declared.desired));
    const settings = SETTING_NAMES.filter((name) => changed.has(name));
    const resting = isResting(declared, context);
    if (settings.length > 0 && !resting) {
      // What ignore_changes leaves alone is in what is declared, not in the spec.
      steps.push({ op: 'settings', path, settings: settingsFrom(declared.desired), names: settings });
    }
    const restart = changes.some((c) => c.mode === 'restart');
    const knobs = changes.filter((c) => !(restart && c.name === 'cgroup.freeze'));
    steps.push(...knobSteps(context.reader, context.scope.stack, path, knobs, declared.desired));
    if (changed.has('restart') || changed.has('stop')) {
      steps.push({ op: 'policy', path, policy: restartPolicy(spec) });
    }
    if (changed.has('healthcheck')) {
      steps.push(...healthSteps(path, spec.healthcheck));
    }
    if (changed.has('hooks') && !restart && !resting) {
      steps.push({ op: 'describe', container: spec.name });
    }
    if (resting) {
      // What only a process can have it is given when it is started.
    } else if (restart) {
      steps.push(...imageSteps(spec), { op: 'stop', path }, ...startSteps(declared, context));
      // A uts namespace that a sharer kept alive is joined again and still has the old names.
      steps.push(...utsSteps(path, changed), ...sysctlSteps({ kind: 'container', path }, changes, declared.desired));
      const freeze = declared.desired['cgroup.freeze'];
      if (freeze !== undefined) {
        steps.push(...writeSteps(context.reader, path, { 'cgroup.freeze': freeze }, declared.desired));
      }
    } else {
      steps.push(...utsSteps(path, changed), ...sysctlSteps({ kind: 'container', path }, changes, declared.desired));
      if (changed.has('placement') || changed.has('hierarchies')) {
        const pid = Number(context.observed.get(declared.address)?.facts['pid'] ?? 0);
        steps.push({ op: 'enter', path, pid });
      }
      const edits = editSteps(declared, spec, changes, context);
      steps.push(...(changed.has('mounts') && edits.length > 0 ? imageSteps(spec) : []), ...edits);
      if (changed.has('supervisor')) {
        steps.push({ op: 'adopt', container: spec.name });
      }
    }
    steps.push({ op: 'label', path, label: labelFor(declared, spec, true, context) });
    return steps;
  },

  remove(observed) {
    const path = observed.facts['leaf'] ?? leafName(nameOf(observed.address));
    return [
      { op: 'stop', path },
      { op: 'cgroup-remove', path, kill: true },
    ];
  },
};

/** Edits of the mounts, from the table as it is at this moment. */
function editSteps(
  declared: Declared,
  spec: ContainerSpec,
  changes: readonly AttributeChange[],
  context: StepContext,
): Step[] {
  const pid = context.observed.get(declared.address)?.facts['pid'];
  const mountinfo = pid === undefined ? undefined : context.reader.readFiles([`/proc/${pid}/mountinfo`])[0];
  if (typeof mountinfo !== 'string') {
    return [];
  }
  return mountSteps(spec.name, leafPath(spec), changes, {
    mountinfo,
    defaults: defaultTargets(spec),
    locked: spec.namespaces.user.kind !== 'host',
    supervised: !changes.some((c) => c.name === 'supervisor'),
  });
}

function utsSteps(path: string, changed: ReadonlyMap<string, AttributeChange>): Step[] {
  const value = (name: string): string | null => {
    const after = changed.get(name)?.after;
    return typeof after === 'string' ? after : null;
  };
  const hostname = value('hostname');
  const domainname = value('domainname');
  return hostname === null && domainname === null
    ? []
    : [{ op: 'uts', target: { kind: 'container', path }, hostname, domainname }];
}
