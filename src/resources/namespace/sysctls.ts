/**
 * Kernel parameters that belong to a namespace (man 5 proc_sys; kernel Documentation/admin-guide/sysctl). Only those are
 * taken: any other would change the whole machine. A file of /proc/sys/net that is not the namespace's own is missing or
 * read-only in there, which the kernel says when it is written.
 */
import type { NamespaceType, StartSysctl, SysctlGroup } from '../../kernel/init-spec.ts';
import type { KernelReader } from '../../kernel/reader.ts';
import { isList, type Attribute, type Value } from '../attribute.ts';
import type { AttributeChange } from '../kind.ts';
import type { LiveTarget, Step } from '../step.ts';
import { show, valueSchema, ValueError } from '../values.ts';

/** Canonical text by key, in the order of the stack. */
export type Sysctls = Readonly<Record<string, string>>;

/** System V objects (ipc_namespaces(7)). */
const SYSTEM_V =
  /^kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced|auto_msgmni|(msg|sem|shm)_next_id)$/;

/** The type of namespace a key belongs to; undefined for one of the whole machine. */
export function sysctlType(key: string): NamespaceType | undefined {
  const dotted = key.replaceAll('/', '.');
  if (/^net\../.test(dotted)) {
    return 'net';
  }
  if (SYSTEM_V.test(dotted) || /^fs\.mqueue\../.test(dotted)) {
    return 'ipc';
  }
  return /^user\.max_./.test(dotted) ? 'user' : undefined;
}

const EPERM = 1;

export const SYSCTL_TYPES: readonly NamespaceType[] = ['user', 'net', 'ipc'];

const KEYS_OF: Readonly<Partial<Record<NamespaceType, string>>> = {
  net: 'net.*',
  ipc: 'fs.mqueue.*, kernel.msg*, kernel.sem, kernel.shm*',
  user: 'user.max_*',
};

const ALL_KEYS = SYSCTL_TYPES.map((type) => KEYS_OF[type]).join(', ');

/** The path below /proc/sys: in 'net.ipv4.conf.all.forwarding' dots part it, in 'net/ipv4/conf/eth0.5/forwarding' slashes. */
export function sysctlPath(key: string): string {
  return key.includes('/') ? key : key.replaceAll('.', '/');
}

/** One spelling for each parameter: dots, unless a part of the path holds one itself. */
function canonicalKey(key: string): string {
  return key.includes('/') && !key.includes('.') ? key.replaceAll('/', '.') : key;
}

/** The kernel parts numbers by tabs and ends with a line feed. */
export function canonicalText(text: string): string {
  return text.trim().replace(/\s+/g, ' ');
}

function checkKey(key: string, type: NamespaceType | undefined): void {
  const expected =
    type === undefined
      ? `a key of a namespace: ${ALL_KEYS}`
      : `a key of ${type} namespaces: ${KEYS_OF[type] ?? 'none'}`;
  const path = sysctlPath(key).split('/');
  // Letters, digits and what interface names hold: nothing that parts one setting from the next, and no way up.
  if (!/^[A-Za-z0-9_./:@-]{1,256}$/.test(key) || path.some((p) => p === '' || p === '.' || p === '..')) {
    throw new ValueError(`${show(key)} is not the name of a kernel parameter`, expected, undefined, [key]);
  }
  const owner = sysctlType(key);
  if (owner === undefined) {
    const name = /^kernel[./](host|domain)name$/.exec(key)?.[1];
    throw new ValueError(
      name === undefined
        ? `${key} belongs to no namespace: it would change the whole machine`
        : `${key} has a setting of its own`,
      expected,
      name === undefined ? 'set it on the host itself' : `write namespaces: { uts: { ${name}name: … } }`,
      [key],
    );
  }
  if (type !== undefined && owner !== type) {
    throw new ValueError(
      `${key} belongs to ${owner} namespaces, and this one is of type ${type}`,
      expected,
      undefined,
      [key],
    );
  }
}

function checkValue(key: string, value: unknown): string {
  const expected = 'a number, true or false (1 or 0), or a line of printable text';
  if (typeof value === 'boolean') {
    return value ? '1' : '0';
  }
  const text = typeof value === 'number' ? String(value) : value;
  // A line feed or a NUL would end this value and begin something else (CVE-2022-0811).
  if (typeof text !== 'string' || !/^[\t\x20-\x7e]{0,4000}$/.test(text) || text.trim() === '') {
    throw new ValueError(`${show(value)} is not a value for ${key}`, expected, undefined, [key]);
  }
  return canonicalText(text);
}

/** `sysctls:` of a container (undefined: of any type), or of a namespace of one type. */
export function sysctlsSchema(type?: NamespaceType): ReturnType<typeof valueSchema<Sysctls>> {
  return valueSchema(
    (input): Sysctls => {
      if (typeof input !== 'object' || input === null || Array.isArray(input)) {
        throw new ValueError(
          `${show(input)} is not a map of kernel parameters`,
          'a map such as { net.ipv4.ip_forward: 1 }',
        );
      }
      const result: Record<string, string> = {};
      for (const [key, value] of Object.entries(input)) {
        checkKey(key, type);
        const name = canonicalKey(key);
        if (Object.hasOwn(result, name)) {
          throw new ValueError(`${name} is there twice, with dots and with slashes`, 'one of the two', undefined, [
            key,
          ]);
        }
        result[name] = checkValue(key, value);
      }
      return result;
    },
    { type: 'object', additionalProperties: { type: ['string', 'number', 'boolean'] } },
  );
}

export const SYSCTLS_ATTRIBUTE: Attribute = {
  name: 'sysctls',
  change: 'in-place',
  observed: 'live',
  entries: 'named',
  default: {},
  doc: 'kernel parameters of its own namespaces, as read inside; one that is no longer declared goes back to what a new namespace has',
  source: 'proc_sys(5)',
};

/** Parameters in the form that native/init takes, with the type each belongs to. */
export function startSysctls(sysctls: Sysctls): StartSysctl[] {
  return Object.entries(sysctls).map(([key, value]) => ({
    type: sysctlType(key) ?? 'net',
    key: sysctlPath(key),
    value,
  }));
}

/** Keys to be looked at: declared ones and those applied last. */
export function sysctlKeys(...maps: ReadonlyArray<Value | undefined>): string[] {
  return [
    ...new Set(maps.flatMap((m) => (m === undefined || typeof m === 'string' || isList(m) ? [] : Object.keys(m)))),
  ];
}

/** The steps of a change: what is declared is written, what no longer is goes back. */
export function sysctlSteps(
  target: LiveTarget,
  changes: readonly AttributeChange[],
  desired: Readonly<Record<string, Value>>,
): Step[] {
  const change = changes.find((c) => c.name === 'sysctls');
  if (change === undefined) {
    return [];
  }
  const values = desired['sysctls'] as Sysctls;
  const reset = sysctlKeys(change.before, change.applied).filter((k) => !Object.hasOwn(values, k));
  return [{ op: 'sysctls', target, values, reset }];
}

/** A process or a pin, and which parameters of its namespaces are wanted. */
export interface SysctlSubject {
  readonly file: (type: NamespaceType) => { readonly path: string; readonly startTime: string };
  readonly keys: readonly string[];
}

/** Parameters by type, as groups for one namespace each. */
export function sysctlGroups(subject: SysctlSubject, values: Sysctls = {}): SysctlGroup[] {
  return SYSCTL_TYPES.flatMap((type): SysctlGroup[] => {
    const keys = subject.keys.filter((k) => sysctlType(k) === type);
    const entries = keys.map((k) => [sysctlPath(k), values[k] ?? ''] as const);
    return keys.length === 0 ? [] : [{ type, ...subject.file(type), entries }];
  });
}

/**
 * The live values of many subjects in one batch; a parameter that is not there is left out. Undefined for a subject
 * whose namespaces cannot be read with these privileges.
 */
export async function readSysctls(
  reader: KernelReader,
  subjects: readonly SysctlSubject[],
): Promise<Array<Sysctls | undefined>> {
  const groups = subjects.map((s) => sysctlGroups(s));
  const texts = await reader.readSysctls(groups.flat());
  let next = 0;
  return groups.map((own, i) => {
    const keys = SYSCTL_TYPES.flatMap((type) => subjects[i]?.keys.filter((k) => sysctlType(k) === type) ?? []);
    const found = own.flatMap(() => texts[next++] ?? []);
    if (found.some((f) => f === -EPERM)) {
      return undefined;
    }
    return Object.fromEntries(
      keys.flatMap((key, j) => {
        const text = found[j];
        return typeof text === 'string' ? [[key, canonicalText(text)] as const] : [];
      }),
    );
  });
}
