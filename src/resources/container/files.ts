/** Secrets and configs of a container: files of their own tmpfs, never on a disk and never on a command line. */
import * as z from 'zod';
import { TsboxError } from '../../errors.ts';
import type { RootOp } from '../../kernel/init-spec.ts';
import { parseMountInfo } from '../../kernel/proc.ts';
import type { KernelReader } from '../../kernel/reader.ts';
import type { Stack } from '../../stack/types.ts';
import type { Attribute, Value } from '../attribute.ts';
import { contentDigest, contentOf, type FileSpec } from '../files.ts';
import type { Problem } from '../kind.ts';
import { modeSchema, modeText } from '../mode.ts';
import { NAME_PATTERN, parseId } from '../units.ts';
import { show, valueSchema, ValueError } from '../values.ts';
import { insideOrSame, stackAt, type IdMaps } from './mounts/text.ts';

/** Use of a declared secret or config. */
export interface FileUse {
  readonly source: string;
  /** Absolute. */
  readonly target: string;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

export type FileSection = 'secrets' | 'configs';
export const FILE_SECTIONS: readonly FileSection[] = ['secrets', 'configs'];

/** Where a relative target starts. */
const BASE: Readonly<Record<FileSection, string>> = { secrets: '/run/secrets/', configs: '/' };

const name = valueSchema(
  (input) => {
    if (typeof input !== 'string' || !NAME_PATTERN.test(input)) {
      throw new ValueError(`${show(input)} is not a name`, 'the name of a declared one');
    }
    return input;
  },
  { type: 'string' },
);

const target = valueSchema(
  (input) => {
    const parts = typeof input === 'string' ? input.replace(/^\//, '').split('/') : [''];
    if (parts.some((p) => p === '' || p === '.' || p === '..') || String(input).length > 4000) {
      throw new ValueError(`${show(input)} is not the path of a file`, "a path without '.' and '..'");
    }
    return String(input);
  },
  { type: 'string' },
);

/** Compose writes ids as text. */
const id = valueSchema((input) => parseId(typeof input === 'string' && /^\d+$/.test(input) ? Number(input) : input), {
  type: ['integer', 'string'],
});

const use = z.union([
  name,
  z.strictObject({
    source: name,
    target: target.optional(),
    uid: id.optional(),
    gid: id.optional(),
    mode: modeSchema.optional(),
  }),
]);

export const filesShape = { secrets: z.array(use).optional(), configs: z.array(use).optional() };

export type FilesPart = Readonly<Record<FileSection, readonly FileUse[]>>;

export function filesPart(input: z.output<z.ZodObject<typeof filesShape>>): FilesPart {
  const uses = (section: FileSection): FileUse[] =>
    (input[section] ?? []).map((given) => {
      const u = typeof given === 'string' ? { source: given } : given;
      const path = ('target' in u ? u.target : undefined) ?? u.source;
      return {
        source: u.source,
        target: path.startsWith('/') ? path : BASE[section] + path,
        uid: ('uid' in u ? u.uid : undefined) ?? 0,
        gid: ('gid' in u ? u.gid : undefined) ?? 0,
        mode: ('mode' in u ? u.mode : undefined) ?? 0o444,
      };
    });
  return { secrets: uses('secrets'), configs: uses('configs') };
}

function attribute(section: FileSection): Attribute {
  return {
    name: section,
    change: 'in-place',
    observed: 'live',
    doc: `files with the content of declared ${section}: mode, owner and a digest, by target`,
    source: 'tmpfs(5)',
  };
}

export const FILES_ATTRIBUTES: readonly Attribute[] = FILE_SECTIONS.map(attribute);

function text(u: Pick<FileUse, 'mode' | 'uid' | 'gid'>, digest: string): string {
  return `${modeText(u.mode)} ${u.uid}:${u.gid} ${digest}`;
}

/** The declared files; a content that cannot be had is reported. */
export function desiredFiles(
  uses: FilesPart,
  address: string,
  stack: Stack,
  reader: KernelReader,
  report: (problem: Problem) => void,
): Record<string, Value> {
  const entries = (section: FileSection): Record<string, string> =>
    Object.fromEntries(
      uses[section].flatMap((u, i) => {
        const spec = stack[section].get(u.source);
        const content = spec === undefined ? 'not declared' : contentOf(spec);
        if (typeof content !== 'string') {
          return [[u.target, text(u, contentDigest(content, section === 'secrets', reader.bootId))]];
        }
        const what = `${section.slice(0, -1)} '${u.source}'`;
        report({
          severity: 'error',
          error: new TsboxError('TSB1004', `${address}: the content of ${what} cannot be had: ${content}`, {
            at: stack.locate(`${section.slice(0, -1)}/${u.source}`, []) ?? stack.locate(address, [section, i]),
            address,
          }),
        });
        return [];
      }),
    );
  return { secrets: entries('secrets'), configs: entries('configs') };
}

/** What may be read of a file in a container: more is no secret of ours. */
const LIMIT = 1024 * 1024;

/** The live files on the targets that were declared or applied, read beneath the container's root. */
export function liveFiles(
  reader: KernelReader,
  pid: number,
  mountinfo: string,
  maps: IdMaps,
  wanted: Readonly<Record<FileSection, readonly string[]>>,
): Record<string, Value> {
  const mounts = FILE_SECTIONS.some((s) => wanted[s].length > 0) ? parseMountInfo(mountinfo) : [];
  const live: Record<string, Value> = {};
  for (const section of FILE_SECTIONS) {
    const mounted = wanted[section].filter((t) => mounts.some((m) => m.target === t));
    const files = mounted.length === 0 ? [] : reader.readInRoot(`/proc/${pid}/root`, mounted, LIMIT);
    live[section] = Object.fromEntries(
      mounted.map((path, i) => {
        const stack = stackAt(mounts, path);
        const top = stack.at(-1);
        const file = files[i];
        const extra = stack.length > 1 ? ` over ${stack.length - 1} more` : '';
        if (typeof file !== 'object' || top?.fstype !== 'tmpfs') {
          return [path, `${top?.fstype ?? '?'} ${top?.device}:${top?.root}${extra}`];
        }
        const owner = {
          mode: file.mode & 0o7777,
          uid: insideOrSame(maps.uid, file.uid),
          gid: insideOrSame(maps.gid, file.gid),
        };
        const flags = ['ro', 'nosuid', 'nodev', 'noexec']
          .filter((f) => !top.options.includes(f))
          .map((f) => ` without ${f}`);
        const digest = contentDigest(file.content, section === 'secrets', reader.bootId);
        return [path, text(owner, digest) + flags.join('') + extra];
      }),
    );
  }
  return live;
}

/** The files as operations of native/init. */
export function fileOps(uses: FilesPart, stack: Pick<Stack, FileSection>): RootOp[] {
  return FILE_SECTIONS.flatMap((section) =>
    uses[section].map((u): RootOp => {
      const spec: FileSpec | undefined = stack[section].get(u.source);
      const content = spec === undefined ? 'it is not declared' : contentOf(spec);
      if (typeof content === 'string') {
        throw new TsboxError(
          'TSB1004',
          `the content of ${section.slice(0, -1)} '${u.source}' cannot be had: ${content}`,
        );
      }
      const { target: path, uid, gid, mode } = u;
      return { op: 'file', target: path, content, uid, gid, mode, ro: true, nosuid: true, nodev: true, noexec: true };
    }),
  );
}
