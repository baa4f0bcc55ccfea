/** Limits that are set below what is in use now: the kernel takes them, and somebody pays. Told before it happens. */
import type { KernelReader } from '../../kernel/reader.ts';
import type { AttributeChange } from '../kind.ts';
import { directoryIn } from '../scope.ts';
import { formatBytes } from '../units.ts';
import { knobAccess } from './access.ts';
import { KNOB_BY_NAME } from './registry.ts';

export interface RiskQuery {
  /** Path of the cgroup as steps name it. */
  readonly path: string;
  readonly changes: readonly AttributeChange[];
}

/** By query, the risk of each attribute that is lowered below its use; read in one batch. */
export function knobRisks(
  reader: KernelReader,
  stack: string,
  queries: readonly RiskQuery[],
): Array<ReadonlyMap<string, string>> {
  const asked = queries.flatMap((query, at) =>
    query.changes.flatMap((change) => {
      const knob = KNOB_BY_NAME.get(change.name);
      const access = knob?.use === undefined ? undefined : knobAccess(reader, knob);
      const file = access?.hierarchy.version === 2 ? knob?.use?.v2 : knob?.use?.v1;
      if (
        knob?.use === undefined ||
        access === undefined ||
        file === undefined ||
        !/^\d+$/.test(String(change.after))
      ) {
        return [];
      }
      const dir = directoryIn(access.hierarchy.mount, reader.settings.cgroupRoot, stack, query.path);
      return [{ at, knob, effect: knob.use.effect, limit: Number(change.after), path: `${dir}/${file}` }];
    }),
  );
  const texts = reader.readFiles(asked.map((a) => a.path));
  const risks = queries.map(() => new Map<string, string>());
  asked.forEach(({ at, knob, effect, limit }, i) => {
    const text = texts[i];
    const use = typeof text === 'string' ? Number(text.trim()) : NaN;
    if (use > limit) {
      const shown = knob.unit === 'bytes' ? formatBytes(use) : String(use);
      risks[at]?.set(knob.name, `${shown} in use now: ${effect}`);
    }
  });
  return risks;
}
