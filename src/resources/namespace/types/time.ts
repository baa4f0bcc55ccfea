/** time namespaces (time_namespaces(7)): clock offsets, fixed when the first process enters. */
import type { Attribute, Value } from '../../attribute.ts';
import type { TimeOffset } from '../../units.ts';
import type { NamespaceRow } from '../row.ts';

const clock = (attribute: string, doc: string): Attribute => ({
  name: attribute,
  change: 'replace',
  reason: 'the kernel takes clock offsets only before the first process enters',
  observed: 'live',
  doc,
  source: 'time_namespaces(7)',
});

function text(offset: TimeOffset): string {
  return `${offset.sec} ${offset.nsec}`;
}

export const time: NamespaceRow = {
  type: 'time',
  reason: 'the clocks of a running process are not moved',
  settings: [
    clock('time.monotonic', "added to CLOCK_MONOTONIC: 'seconds nanoseconds'"),
    clock('time.boottime', "added to CLOCK_BOOTTIME: 'seconds nanoseconds'"),
  ],
  desired: (settings) => {
    const values: Record<string, Value> = {};
    if (settings.monotonic !== null) {
      values['time.monotonic'] = text(settings.monotonic);
    }
    if (settings.boottime !== null) {
      values['time.boottime'] = text(settings.boottime);
    }
    return values;
  },
  procFiles: ['timens_offsets'],
  live: ([offsets]) => ({
    'time.monotonic': field(offsets, 'monotonic'),
    'time.boottime': field(offsets, 'boottime'),
  }),
  doc: 'its own offsets of the monotonic and boot-time clocks',
  source: 'time_namespaces(7)',
};

/** A clock's offset from timens_offsets, whose clock column is a name (5.6 and later) or a number. */
function field(offsets: string | undefined, name: 'monotonic' | 'boottime'): string | undefined {
  const number = name === 'monotonic' ? '1' : '7';
  for (const line of offsets?.split('\n') ?? []) {
    const [clockId, sec, nsec] = line.trim().split(/\s+/);
    if ((clockId === name || clockId === number) && sec !== undefined && nsec !== undefined) {
      return `${sec} ${nsec}`;
    }
  }
  return undefined;
}
