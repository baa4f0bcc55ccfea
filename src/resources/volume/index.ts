/** Volumes: directories that outlive the containers that use them, and the stack itself unless it is asked otherwise. */
import { TsboxError } from '../../errors.ts';
import type { KernelReader } from '../../kernel/reader.ts';
import { attributeTable, type Value } from '../attribute.ts';
import type { Declared, Observed, ResourceKind, StepContext } from '../kind.ts';
import { LABEL_XATTR, type Label } from '../label.ts';
import { lifecycleRecord, recordedLifecycle } from '../lifecycle.ts';
import { labelOn } from '../ownership.ts';
import { modeText } from '../mode.ts';
import type { Step } from '../step.ts';
import { volumeAddress, volumePath, volumesDirectory, VOLUME_PREFIX } from './paths.ts';
import type { VolumeSpec } from './schema.ts';

function nameOf(address: string): string {
  return address.slice(VOLUME_PREFIX.length);
}

function owned(spec: VolumeSpec): boolean {
  return spec.path === null && spec.external === null;
}

function desiredOf(spec: VolumeSpec, directory: string): Record<string, Value> {
  return {
    path: directory,
    ...(spec.owner === null ? {} : { owner: spec.owner }),
    ...(spec.mode === null ? {} : { mode: modeText(spec.mode) }),
  };
}

/** The sound label of a volume's directory: its own, under the name it has. */
export function volumeLabel(
  reader: KernelReader,
  directory: string,
  stack: string,
  address: string,
  ino: number,
): Label | undefined {
  // Where the file system has no such attributes the record beside the directory stands in.
  const texts = [reader.getXattrs([directory], LABEL_XATTR)[0], reader.readFiles([recordPath(directory)])[0]];
  return texts.map((t) => labelOn(t, ino)).find((l) => l?.stack === stack && l.address === address);
}

/** The record of a volume on a file system without trusted attributes; no volume's name begins with a dot. */
export function recordPath(directory: string): string {
  const slash = directory.lastIndexOf('/');
  return `${directory.slice(0, slash)}/.${directory.slice(slash + 1)}.label`;
}

function makeStep(declared: Declared, context: StepContext): Step[] {
  const name = nameOf(declared.address);
  const spec = context.stack?.volumes.get(name);
  if (spec === undefined) {
    throw new Error(`${declared.address} is not in the stack`);
  }
  return [
    {
      op: 'volume-make',
      name,
      directory: String(declared.desired['path']),
      owned: owned(spec),
      owner: spec.owner,
      mode: spec.mode,
      label: {
        address: declared.address,
        applied: declared.desired,
        ...lifecycleRecord(declared.lifecycle, context.observed.get(declared.address)?.isProtected),
      },
    },
  ];
}

export const volumeKind: ResourceKind = {
  kind: 'volume',
  attributes: attributeTable([
    {
      name: 'path',
      change: 'in-place',
      observed: 'live',
      doc: 'its directory, marked as this volume',
      source: 'xattr(7)',
    },
    { name: 'owner', change: 'in-place', observed: 'live', doc: "the directory's owner and group", source: 'chown(2)' },
    { name: 'mode', change: 'in-place', observed: 'live', doc: "the directory's mode", source: 'chmod(2)' },
  ]),

  declare(stack, reader, report) {
    return [...stack.volumes.values()].map((spec): Declared => {
      const address = volumeAddress(spec.name);
      const directory = volumePath(reader.settings.stateDir, stack.name, spec.name, spec);
      if (!owned(spec) && reader.locate(directory)?.kind !== 'dir') {
        const what = spec.external === null ? directory : `the volume ${spec.external} (${directory})`;
        report({
          severity: 'error',
          error: new TsboxError('TSB1004', `${address}: there is no directory ${what}`, {
            at: stack.locate(address, [spec.external === null ? 'path' : 'external']),
            address,
            hint: 'a volume with a path or of another stack is not made, only used',
          }),
        });
      }
      return {
        address,
        kind: 'volume',
        desired: desiredOf(spec, directory),
        needs: [],
        shares: [],
        waits: [],
        at: stack.locate(address, []),
      };
    });
  },

  async observe(reader, scope, declared, stack) {
    const base = volumesDirectory(reader.settings.stateDir, scope.stack);
    const wanted = new Map(declared.map((d) => [nameOf(d.address), d]));
    const kept = reader
      .list(base)
      .filter((n) => !n.startsWith('.') && !wanted.has(n))
      .sort();
    return [...wanted.keys(), ...kept].flatMap((name): Observed[] => {
      const spec = stack?.volumes.get(name);
      const foreign = spec !== undefined && !owned(spec);
      const directory = foreign ? String(wanted.get(name)?.desired['path']) : `${base}/${name}`;
      const stat = reader.stats([directory])[0];
      const here = typeof stat === 'object' && (stat.mode & 0o170000) === 0o040000 ? stat : undefined;
      const label =
        here === undefined || foreign
          ? undefined
          : volumeLabel(reader, directory, scope.stack, volumeAddress(name), here.ino);
      const absent = here === undefined;
      if (!wanted.has(name) && label === undefined) {
        return [];
      }
      const applied = label?.applied ?? null;
      return [
        {
          address: volumeAddress(name),
          exists: !absent,
          live: absent
            ? {}
            : {
                path: foreign || label !== undefined ? directory : 'not marked as a volume of this stack',
                owner: `${here.uid}:${here.gid}`,
                mode: modeText(here.mode & 0o7777),
              },
          // What is not ours carries no record: it is compared with what is declared.
          ...recordedLifecycle(label ?? {}),
          applied: foreign ? (wanted.get(name)?.desired ?? null) : applied,
          extras: [],
          unreadable: [],
          facts: { path: directory },
          kept: true,
        },
      ];
    });
  },

  create: makeStep,
  update: (declared, _changes, context) => makeStep(declared, context),

  remove(observed) {
    return [
      {
        op: 'volume-remove',
        name: nameOf(observed.address),
        directory: observed.facts['path'] ?? '',
      },
    ];
  },
};
