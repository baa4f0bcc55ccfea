/** Attributes of network tags and bandwidth, of every cgroup, a declared one's and a container's alike. */
import type { Attribute } from '../attribute.ts';

const row = { change: 'in-place', observed: 'live', unit: 'none' } as const;
const RATE_SOURCE = 'bpf(2), BPF_PROG_TYPE_CGROUP_SKB; docs/decisions/0010-network-tags-by-bpf.md';

export const MARK = 'network_tag.mark';
export const PRIORITY = 'network_tag.priority';

export const DIRECTIONS = ['egress', 'ingress'] as const;
export type Direction = (typeof DIRECTIONS)[number];

export const rateName = (direction: Direction): string => `bandwidth.${direction}`;
export const burstName = (direction: Direction): string => `bandwidth.${direction}_burst`;

/** Where nothing is set, an attribute's live value is its default. */
export const NETWORK_ATTRIBUTES: readonly Attribute[] = [
  {
    ...row,
    name: MARK,
    default: '0x0',
    doc: 'mark of the sockets made in it and of the packets of those that have none; on v1 its class id',
    source: 'socket(7), SO_MARK; bpf(2), BPF_PROG_TYPE_CGROUP_SOCK; cgroup-v1/net_cls.rst',
  },
  {
    ...row,
    name: PRIORITY,
    default: '0',
    doc: 'priority of the sockets made in it and of the packets of those that have none; on v1 for every interface',
    source: 'socket(7), SO_PRIORITY; bpf(2), BPF_PROG_TYPE_CGROUP_SOCK; cgroup-v1/net_prio.rst',
  },
  ...DIRECTIONS.flatMap((direction): Attribute[] => [
    {
      ...row,
      name: rateName(direction),
      unit: 'bits',
      default: 'max',
      doc: `bits per second that its sockets may ${direction === 'egress' ? 'send' : 'receive'}; more is dropped`,
      source: RATE_SOURCE,
    },
    {
      ...row,
      name: burstName(direction),
      unit: 'bytes',
      default: 'none',
      doc: `bytes that may ${direction === 'egress' ? 'leave' : 'arrive'} at once after a pause`,
      source: RATE_SOURCE,
    },
  ]),
];

const DEFAULTS: ReadonlyMap<string, string> = new Map(NETWORK_ATTRIBUTES.map((a) => [a.name, String(a.default)]));

export const NETWORK_NAMES: readonly string[] = [...DEFAULTS.keys()];

/** What the attribute is where nobody set it. */
export function networkDefault(name: string): string {
  return DEFAULTS.get(name) ?? '';
}

export function isNetwork(name: string): boolean {
  return DEFAULTS.has(name);
}
