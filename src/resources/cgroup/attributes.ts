/** Attributes of every cgroup, a declared one's and a container's alike, derived from the knobs. */
import type { Attribute } from '../attribute.ts';
import { KNOBS } from './registry.ts';

/** One attribute per knob: all of them change in place. */
export const KNOB_ATTRIBUTES: readonly Attribute[] = KNOBS.map((knob) => ({
  name: knob.name,
  change: 'in-place',
  unit: knob.unit,
  observed: 'live',
  default: knob.default,
  doc: knob.doc,
  source: knob.source,
}));

export const HIERARCHIES_ATTRIBUTE: Attribute = {
  name: 'hierarchies',
  change: 'in-place',
  list: 'set',
  observed: 'live',
  doc: 'the cgroup hierarchies in which its directory exists',
  source: 'cgroups(7)',
};

export const ADOPTED_ATTRIBUTE: Attribute = {
  name: 'adopted',
  change: 'in-place',
  observed: 'live',
  doc: 'where a cgroup stands that somebody else made and the stack takes over; destroy gives it back as it was',
  source: 'docs/stack-language.md, adopt',
};

export const DEVICES_ATTRIBUTE: Attribute = {
  name: 'devices',
  change: 'in-place',
  list: 'set',
  // 'allow c 1:3 rwm': type and numbers name the device.
  itemKey: (rule) => rule.split(' ').slice(1, 3).join(' '),
  observed: 'live',
  default: ['allow a *:* rwm'],
  doc: 'which device nodes may be opened or made; later rules win, what no rule allows is denied',
  source: 'cgroup-v2.rst, Device controller; cgroup-v1/devices.rst',
};
