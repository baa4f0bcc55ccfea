/** Linux capabilities by name, each at the index of its number (capabilities(7), include/uapi/linux/capability.h). */
import * as z from 'zod';
import { meant, show, valueSchema, ValueError } from '../values.ts';

export const CAPABILITIES = [
  'CHOWN',
  'DAC_OVERRIDE',
  'DAC_READ_SEARCH',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'LINUX_IMMUTABLE',
  'NET_BIND_SERVICE',
  'NET_BROADCAST',
  'NET_ADMIN',
  'NET_RAW',
  'IPC_LOCK',
  'IPC_OWNER',
  'SYS_MODULE',
  'SYS_RAWIO',
  'SYS_CHROOT',
  'SYS_PTRACE',
  'SYS_PACCT',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_NICE',
  'SYS_RESOURCE',
  'SYS_TIME',
  'SYS_TTY_CONFIG',
  'MKNOD',
  'LEASE',
  'AUDIT_WRITE',
  'AUDIT_CONTROL',
  'SETFCAP',
  'MAC_OVERRIDE',
  'MAC_ADMIN',
  'SYSLOG',
  'WAKE_ALARM',
  'BLOCK_SUSPEND',
  'AUDIT_READ',
  'PERFMON',
  'BPF',
  'CHECKPOINT_RESTORE',
] as const;
export type Capability = (typeof CAPABILITIES)[number];

/** A capability in any case, with or without CAP_. Throws ValueError. */
export function parseCapability(input: unknown): Capability {
  const name = typeof input === 'string' ? input.toUpperCase().replace(/^CAP_/, '') : '';
  if (!(CAPABILITIES as readonly string[]).includes(name)) {
    const expected = 'one of the 41 names of capabilities(7), such as CHOWN or NET_BIND_SERVICE';
    const all = name === 'ALL' ? 'there is no word for all of them: name those that are needed' : undefined;
    throw new ValueError(`${show(input)} is not a capability`, expected, meant(name, CAPABILITIES) ?? all);
  }
  return name as Capability;
}

/** Distinct names, sorted. */
export const capabilitiesSchema = z
  .array(valueSchema(parseCapability, { type: 'string', enum: CAPABILITIES }))
  .transform((names): readonly Capability[] => [...new Set(names)].sort());

/** Every capability a kernel has, by its /proc/sys/kernel/cap_last_cap, whatever of them has a name here. */
export function allCapabilities(last: string): bigint {
  return (2n << BigInt(last.trim())) - 1n;
}

/** The mask of a list of names: bit n is capability number n. */
export function capabilityMask(names: Iterable<string>): bigint {
  let mask = 0n;
  for (const name of names) {
    const bit = (CAPABILITIES as readonly string[]).indexOf(name);
    if (bit < 0) {
      throw new ValueError(`${show(name)} is not a capability`);
    }
    mask |= 1n << BigInt(bit);
  }
  return mask;
}
