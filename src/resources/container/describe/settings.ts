/** Limits, scheduling and the like of a running process as a stack says them. */
import type { Hierarchy } from '../../../kernel/layout.ts';
import type { KernelReader } from '../../../kernel/reader.ts';
import { effectiveCpus, cpuText } from '../process/affinity.ts';
import { halves, parseLimits } from '../process/rlimits.ts';
import { ioprioLive, schedulerText } from '../process/scheduling.ts';
import type { ProcessFacts, Tell } from './facts.ts';

export function describeSettings(reader: KernelReader, facts: ProcessFacts, tell: Tell): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  const rlimits = limits(facts);
  if (Object.keys(rlimits).length > 0) {
    fields['rlimits'] = rlimits;
  }
  const score = Number(facts.text('oom_score_adj') ?? 0);
  if (score !== 0) {
    fields['oom_score_adj'] = score;
  }
  const { scheduling } = facts;
  if (scheduling === undefined) {
    tell('scheduler, nice, ioprio, cpu_affinity', 'cannot be read');
    return fields;
  }
  if (scheduling.nice !== 0) {
    fields['nice'] = scheduling.nice;
  }
  const policy = schedulerText(scheduling);
  if (policy !== 'other') {
    fields['scheduler'] = written(policy);
  }
  const ioprio = ioprioLive(scheduling.ioprio, scheduling.nice, undefined);
  if (ioprio !== 'none') {
    const [name, level] = ioprio.split(' ');
    fields['ioprio'] = level === undefined ? name : { class: name, level: Number(level) };
  }
  const cpuset = reader.layout.byController.get('cpuset');
  const leaf = cpuset === undefined ? '' : (pathIn(facts, cpuset) ?? '');
  const allowed = effectiveCpus(reader, [leaf])[0]?.within('all') ?? '';
  const cpus = cpuText(scheduling.cpus);
  if (cpus !== allowed) {
    fields['cpu_affinity'] = cpus;
  }
  return fields;
}

/** Its cgroup in a hierarchy; undefined where that lies outside of what tsbox sees (cgroup_namespaces(7)). */
export function pathIn(facts: ProcessFacts, hierarchy: Hierarchy): string | undefined {
  const fits = (names: string): boolean =>
    hierarchy.version === 2 ? names === '' : hierarchy.controllers.some((c) => names.split(',').includes(c));
  const path = [...facts.cgroups].find(([names]) => fits(names))?.[1];
  return path?.startsWith('/..') === true ? undefined : path;
}

/** Those that a process started by tsbox would not have anyway. */
function limits(facts: ProcessFacts): Record<string, unknown> {
  const own = parseLimits(facts.hostLimits);
  const found = parseLimits(facts.text('limits') ?? '');
  return Object.fromEntries(
    Object.entries(found).flatMap(([name, pair]) => {
      const { soft, hard } = halves(pair);
      return pair === own[name] ? [] : [[name, soft === hard ? plain(soft) : { soft: plain(soft), hard: plain(hard) }]];
    }),
  );
}

function plain(text: string): string | number {
  return /^\d{1,15}$/.test(text) ? Number(text) : text;
}

/** 'fifo priority=10 reset_on_fork' as a map; a bare policy as it is. */
function written(text: string): unknown {
  const [policy = '', ...words] = text.split(' ');
  return words.length === 0
    ? policy
    : {
        policy,
        ...Object.fromEntries(
          words.map((word): [string, unknown] => {
            const [key = '', value] = word.split('=');
            return [key, value === undefined ? true : plain(value)];
          }),
        ),
      };
}
