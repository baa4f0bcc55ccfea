/** Keys of a knob that name block devices: from a path or a partition's number to the whole disk's MAJ:MIN. */
import type { KernelReader } from '../../kernel/reader.ts';
import { entriesOf, type Knob, type KnobValue } from './knob.ts';

/** The value with every device resolved; undefined when one is not there, which is told. */
export function resolveKeys(
  reader: KernelReader,
  knob: Knob,
  value: KnobValue,
  wrong: (message: string, hint: string | undefined) => void,
): KnobValue | undefined {
  if (knob.keys !== 'device' || typeof value === 'string') {
    return value;
  }
  const resolved: Record<string, string> = {};
  let sound = true;
  for (const [key, text] of entriesOf(value)) {
    const [device = '', ...rest] = key.split(' ');
    const disk = device === 'default' ? device : diskOf(reader, device, wrong);
    if (disk === undefined) {
      sound = false;
      continue;
    }
    const full = [disk, ...rest].join(' ');
    const other = resolved[full];
    if (other !== undefined && other !== text) {
      wrong(
        `${knob.name}: two entries mean ${disk}, with ${other} and ${text}`,
        'partitions count as their disk: name it once',
      );
      sound = false;
    }
    resolved[full] = text;
  }
  return sound ? resolved : undefined;
}

function diskOf(
  reader: KernelReader,
  device: string,
  wrong: (message: string, hint: string | undefined) => void,
): string | undefined {
  let numbers = device;
  if (device.startsWith('/')) {
    const found = reader.deviceAt(device);
    if (found === undefined || found.type !== 'b') {
      wrong(
        `${device} is not a block device on this machine`,
        'a path to a device node, or MAJOR:MINOR as lsblk shows it',
      );
      return undefined;
    }
    numbers = `${found.major}:${found.minor}`;
  }
  // A number may be of a device that comes later; the kernel says so if it is not there at apply.
  return reader.wholeDisk(numbers) ?? numbers;
}
