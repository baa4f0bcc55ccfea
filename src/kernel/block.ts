/** Block devices in sysfs (sysfs-block; Documentation/ABI/stable/sysfs-block). */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * The whole disk of a device: itself, or what a partition is a part of.
 * @param numbers 'MAJ:MIN'
 * @returns 'MAJ:MIN' of the disk, undefined when there is no such device
 */
export function wholeDisk(numbers: string): string | undefined {
  let directory: string;
  try {
    directory = realpathSync(`/sys/dev/block/${numbers}`);
  } catch {
    return undefined;
  }
  return existsSync(`${directory}/partition`) ? readFileSync(`${dirname(directory)}/dev`, 'utf8').trim() : numbers;
}
