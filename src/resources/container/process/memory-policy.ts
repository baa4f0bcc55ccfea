/** `memory_policy:` of a container: on which nodes the memory of its process is taken (set_mempolicy(2)). */
import * as z from 'zod';
import type { KernelReader } from '../../../kernel/reader.ts';
import { parseCpuList } from '../../units.ts';
import { meant, show, valueSchema, ValueError } from '../../values.ts';
import { cpuNumbers } from './affinity.ts';

interface Mode {
  /** MPOL_* of include/uapi/linux/mempolicy.h. */
  readonly number: number;
  readonly nodes: 'none' | 'some' | 'may';
  /** Kernel that brought it. */
  readonly since?: readonly [number, number];
}

export const MODES: Readonly<Record<string, Mode>> = {
  default: { number: 0, nodes: 'none' },
  preferred: { number: 1, nodes: 'may' },
  bind: { number: 2, nodes: 'some' },
  interleave: { number: 3, nodes: 'some' },
  local: { number: 4, nodes: 'none' },
  preferred_many: { number: 5, nodes: 'some', since: [5, 15] },
  weighted_interleave: { number: 6, nodes: 'some', since: [6, 9] },
};
/** MPOL_F_*. */
export const MODE_FLAGS: Readonly<Record<string, number>> = {
  static_nodes: 1 << 15,
  relative_nodes: 1 << 14,
  numa_balancing: 1 << 13,
};

function word(known: Readonly<Record<string, unknown>>, what: string): z.ZodType<string> {
  const names = Object.keys(known);
  return valueSchema(
    (input): string => {
      if (typeof input !== 'string' || !Object.hasOwn(known, input)) {
        throw new ValueError(`${show(input)} is not a ${what}`, names.join(', '), meant(input, names));
      }
      return input;
    },
    { enum: names },
  );
}

/** Room for 1024 nodes, as the kernel has (MAX_NUMNODES). */
const nodesSchema = valueSchema(
  (input): string => {
    const list = parseCpuList(input);
    if (cpuNumbers(list).some((n) => n > 1023)) {
      throw new ValueError(`${show(input)} is not a list of memory nodes`, 'numbers up to 1023 such as 0-1');
    }
    return list;
  },
  { type: ['string', 'integer', 'array'], examples: ['0-1'] },
);

/** 'bind 0-1 static_nodes'. */
export const memoryPolicySchema: z.ZodType<string> = z.union([
  word(Object.fromEntries(Object.entries(MODES).filter(([, m]) => m.nodes !== 'some')), 'memory policy without nodes'),
  z
    .strictObject({
      mode: word(MODES, 'memory policy'),
      nodes: nodesSchema.optional(),
      flags: z.array(word(MODE_FLAGS, 'flag of a memory policy')).optional(),
    })
    .transform(({ mode, nodes, flags }, context): string => {
      const wrong = (path: string, message: string, expected: string): never => {
        context.addIssue({ code: 'custom', path: [path], message, params: { expected } });
        return z.NEVER;
      };
      const { nodes: takes } = MODES[mode] as Mode;
      if (takes === 'none' && nodes !== undefined) {
        return wrong('nodes', `${mode} has no nodes`, 'leave nodes out');
      }
      if (takes === 'some' && nodes === undefined) {
        return wrong('mode', `${mode} needs nodes`, 'nodes such as 0-1');
      }
      const set = [...new Set(flags ?? [])].sort();
      if (set.includes('static_nodes') && set.includes('relative_nodes')) {
        return wrong('flags', 'static_nodes and relative_nodes exclude each other', 'one of them');
      }
      if (set.length > 0 && nodes === undefined) {
        return wrong('flags', `${set.join(' and ')} without nodes has no meaning`, 'nodes such as 0-1');
      }
      if (set.includes('numa_balancing') && mode !== 'bind' && mode !== 'preferred_many') {
        return wrong('flags', `numa_balancing is of bind and preferred_many, not of ${mode}`, 'leave it out');
      }
      return [mode, ...(nodes === undefined ? [] : [nodes]), ...set].join(' ');
    }),
]);

const parts = (text: string): { mode: string; nodes: string; flags: string[] } => {
  const [mode = 'default', ...rest] = text.split(' ');
  const nodes = rest[0] !== undefined && /^\d/.test(rest[0]) ? rest[0] : '';
  return { mode, nodes, flags: nodes === '' ? rest : rest.slice(1) };
};

/** What set_mempolicy(2) takes. */
export function memoryPolicyNumbers(text: string): { mode: number; nodes: number[] } {
  const { mode, nodes, flags } = parts(text);
  const number = MODES[mode]?.number ?? 0;
  return { mode: flags.reduce((sum, f) => sum | (MODE_FLAGS[f] ?? 0), number), nodes: cpuNumbers(nodes) };
}

/** Why this machine cannot have that policy. */
export function missingMemory(text: string, reader: KernelReader): { message: string; hint: string } | undefined {
  const { mode, nodes, flags } = parts(text);
  const [online, maps] = reader.readFiles(['/sys/devices/system/node/has_memory', '/proc/self/numa_maps']);
  if (typeof maps !== 'string') {
    return { message: 'this kernel has no memory policies', hint: 'leave memory_policy out' };
  }
  const [major = 0, minor = 0] = reader.release.split('.').map(Number);
  const newest = [MODES[mode]?.since ?? [0, 0], flags.includes('numa_balancing') ? [5, 12] : [0, 0]]
    .sort(([a = 0, b = 0], [c = 0, d = 0]) => a - c || b - d)
    .at(-1) as readonly number[];
  if (major < (newest[0] ?? 0) || (major === newest[0] && minor < (newest[1] ?? 0))) {
    return { message: `${text} needs Linux ${newest.join('.')}`, hint: 'another mode' };
  }
  const there = typeof online === 'string' ? cpuNumbers(online) : [0];
  const lacking = flags.includes('relative_nodes') ? [] : cpuNumbers(nodes).filter((n) => !there.includes(n));
  return lacking.length === 0
    ? undefined
    : {
        message: `memory node ${lacking.join(', ')} is not there`,
        hint: `nodes with memory: ${typeof online === 'string' ? online.trim() : '0'}`,
      };
}
