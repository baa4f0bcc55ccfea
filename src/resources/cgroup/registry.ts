/** The controllers tsbox knows. A new one is a file in controllers/ and a line here. */
import { cpu } from './controllers/cpu.ts';
import { cpuset } from './controllers/cpuset.ts';
import { freezer } from './controllers/freezer.ts';
import { memory } from './controllers/memory.ts';
import { pids } from './controllers/pids.ts';
import type { Knob } from './knob.ts';

/** In the order in which the kernel wants them written: protections before limits, freezing last. */
export const KNOBS: readonly Knob[] = [...cpuset, ...cpu, ...memory, ...pids, ...freezer];

export const KNOB_BY_NAME: ReadonlyMap<string, Knob> = new Map(KNOBS.map((k) => [k.name, k]));
