/** The controllers tsbox knows. A new one is a file in controllers/ and a line here. */
import { core } from './controllers/core.ts';
import { cpu } from './controllers/cpu.ts';
import { cpuset } from './controllers/cpuset.ts';
import { freezer } from './controllers/freezer.ts';
import { hugetlb, hugetlbSection } from './controllers/hugetlb.ts';
import { io, ioSection } from './controllers/io.ts';
import { memory } from './controllers/memory.ts';
import { pids } from './controllers/pids.ts';
import { dmem, dmemSection, misc, miscSection, rdma, rdmaSection } from './controllers/resources.ts';
import type { Knob, KnobSection } from './knob.ts';

/** In the order in which the kernel wants them written: protections before limits, freezing last. */
export const KNOBS: readonly Knob[] = [
  ...core,
  ...cpuset,
  ...cpu,
  ...memory,
  ...io,
  ...pids,
  ...hugetlb,
  ...rdma,
  ...misc,
  ...dmem,
  ...freezer,
];

/** Sections of the language that gather knobs in a shape of their own. */
export const SECTIONS: readonly KnobSection[] = [ioSection, hugetlbSection, rdmaSection, miscSection, dmemSection];

export const KNOB_BY_NAME: ReadonlyMap<string, Knob> = new Map(KNOBS.map((k) => [k.name, k]));
