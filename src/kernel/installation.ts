/**
 * Which installation of tsbox this is. Its name stands in every label, so that two that see the same cgroups (a container
 * with the host's cgroupfs, two state directories) do not take each other's objects for their own.
 *
 * It is made from what does not change while objects live, and kept nowhere.
 */
import { createHmac } from 'node:crypto';
import { DEFAULT_STATE_DIR, type Settings } from './settings.ts';

export const MACHINE_ID = '/etc/machine-id';

/** The name where a machine has no id, as images of containers have none. */
export const UNNAMED = 'default';

/**
 * TSBOX_INSTALLATION; else a digest of the machine's id, which machine-id(5) wants kept from others, with the state
 * directory where that is not the usual one.
 * @param machineId text of /etc/machine-id; undefined where it cannot be read
 */
export function installationOf(
  settings: Pick<Settings, 'installation' | 'stateDir'>,
  machineId: string | undefined,
): string {
  if (settings.installation !== null) {
    return settings.installation;
  }
  const id = /^[0-9a-f]{32}$/.exec(machineId?.trim() ?? '')?.[0];
  const machine =
    id === undefined ? UNNAMED : createHmac('sha256', id).update('tsbox installation').digest('hex').slice(0, 12);
  return settings.stateDir === DEFAULT_STATE_DIR ? machine : `${machine}:${settings.stateDir}`;
}
