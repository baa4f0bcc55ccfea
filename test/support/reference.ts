/** docs/reference.md, made from the attribute tables and from what the drift test has tried where. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { KINDS } from '../../src/resources/registry.ts';
import { KNOBS } from '../../src/resources/cgroup/registry.ts';
import type { Knob, KnobFiles } from '../../src/resources/cgroup/knob.ts';
import { NETWORK_ATTRIBUTES, NETWORK_NAMES } from '../../src/resources/network/attributes.ts';
import { knobEdits } from './knob-edits.ts';
import { OTHER_FILES } from './other-files.ts';
import { repository } from './sandbox.ts';

/** By machine, the knobs that test/host/drift-knobs.test.ts applied, edited by hand, saw as drift and healed there. */
export type Tried = Readonly<Record<string, { readonly kernel: string; readonly knobs: readonly string[] }>>;

export function readTried(): Tried {
  return JSON.parse(readFileSync(join(repository(), 'test', 'support', 'knobs-tried.json'), 'utf8')) as Tried;
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function table(heading: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
  return [line(heading), `|${heading.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

/** Names of a knob's files; SIZE and KEY stand for what a page size or a device has of its own. */
export function fileNames(files: KnobFiles | undefined): string[] {
  if (files === undefined) {
    return [];
  }
  return [...(typeof files.files === 'function' ? files.files(['SIZE']) : files.files)];
}

function filesCell(first: KnobFiles | undefined, other: KnobFiles | undefined): string {
  const text = (files: KnobFiles | undefined): string => {
    const names = fileNames(files).map((f) => `\`${f}\``);
    const since = files?.since === undefined ? '' : ` (${files.since})`;
    return names.length === 0 ? '' : `${names.join(', ')}${since}`;
  };
  const both = [text(first), text(other)].filter((t) => t !== '');
  return both.length === 0 ? 'none' : both.join(', else ');
}

const defaultText = (value: unknown): string => {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text === '' || text === '{}' ? 'nothing' : text;
};

function knobRow(knob: Knob, tried: Tried): string[] {
  const edit = knobEdits('8:0')[knob.name];
  const where = Object.entries(tried)
    .filter(([, t]) => t.knobs.includes(knob.name))
    .map(([name]) => name);
  return [
    `\`${knob.name}\``,
    edit === undefined ? '' : `\`${edit.yaml}\``,
    filesCell(knob.v2, knob.v2Else),
    filesCell(knob.v1, knob.v1Else),
    defaultText(knob.default),
    where.length > 0 ? where.join(', ') : (edit?.stuck ?? 'no machine here has it'),
    knob.doc,
  ];
}

function kinds(): string {
  const knobs = new Set([...KNOBS.map((k) => k.name), ...NETWORK_NAMES]);
  return KINDS.map((kind) => {
    const rows = [...kind.attributes.values()]
      .filter((a) => !knobs.has(a.name))
      .map((a) => [
        `\`${a.name}\``,
        a.change === 'in-place' ? 'in place' : `${a.change}s`.replace('read-onlys', 'read only'),
        a.observed === 'live' ? 'every plan' : 'by the record on the object',
        a.doc,
        a.source,
      ]);
    return `### ${kind.kind}\n\n${table(['attribute', 'a change', 'compared', 'meaning', 'source'], rows)}\n`;
  }).join('\n');
}

export function referenceText(): string {
  const tried = readTried();
  const counts = Object.entries(tried).map(([name, t]) => `${name} (Linux ${t.kernel}): ${t.knobs.length}`);
  return `# Reference

Made from the attribute tables by \`UPDATE=1 node scripts/test.mjs unit --filter reference\`; a test compares it.

## Limits and other settings of cgroups

Every row is a key of a cgroup and of a container alike, changes in place, is read back at every plan, and goes back to its
default when it leaves the stack. A number in brackets is the first kernel with the file. "Tested" is where
test/host/drift-knobs.test.ts applied it, changed it by hand, saw exactly that as drift, healed it and gave it back:
of ${KNOBS.length} settings, ${counts.join('; ')}. The others need hardware or a kernel option that is missing there; what a kernel
lacks is an error with the line in the stack, or a warning under \`optional: true\`.

${table(
  ['attribute', 'in a stack', 'v2 file', 'v1 file', 'default', 'tested', 'meaning'],
  KNOBS.map((k) => knobRow(k, tried)),
)}

## Network tags and bandwidth

On v2 BPF programs of the cgroup (read back from the kernel, instruction by instruction), on v1 \`net_cls.classid\` and
\`net_prio.ifpriomap\`; bandwidth is for v2 alone. They change in place, the old program replaced at once. Tested by
test/host/network-tag.test.ts with real traffic on hybrid and unified, and the files by the drift test.

${table(
  ['attribute', 'default', 'meaning', 'source'],
  NETWORK_ATTRIBUTES.map((a) => [`\`${a.name}\``, defaultText(a.default), a.doc, a.source]),
)}

## Every other file of a cgroup

${table(
  ['file', 'version', 'what becomes of it'],
  OTHER_FILES.map((f) => [`\`${f.file}\``, f.version, f.how]),
)}

## Other attributes

${kinds()}`;
}
