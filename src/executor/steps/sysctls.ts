/** Kernel parameters in live namespaces, written by a short-lived child inside. */
import { canonicalText, sysctlGroups, sysctlPath } from '../../resources/namespace/sysctls.ts';
import type { Step } from '../../resources/step.ts';
import type { ExecutionContext } from '../context.ts';
import { liveFiles } from './live-target.ts';

type Of<Op extends Step['op']> = Extract<Step, { op: Op }>;

/** What a step sets, for the error where nothing runs. */
export const PARAMETERS = 'kernel parameters';

const TIMEOUT = 30_000;

export async function setSysctls(context: ExecutionContext, step: Of<'sysctls'>): Promise<void> {
  const { kernel } = context;
  const values: Record<string, string> = { ...(await valuesOfNew(context, step.reset)), ...step.values };
  const groups = sysctlGroups({ file: liveFiles(context, step.target, PARAMETERS), keys: Object.keys(values) }, values);
  if (groups.length > 0) {
    await kernel.runInit({ mode: 'sysctl-write', groups }, '', TIMEOUT, true);
  }
}

/** What new namespaces have of these; what they have not is left as it is. */
async function valuesOfNew({ kernel }: ExecutionContext, keys: readonly string[]): Promise<Record<string, string>> {
  const groups = sysctlGroups({ file: () => ({ path: '', startTime: '' }), keys });
  const texts = (await kernel.readSysctls(groups)).flat();
  const paths = groups.flatMap((g) => g.entries.map(([path]) => path));
  const byPath = new Map(paths.map((path, i) => [path, texts[i]]));
  return Object.fromEntries(
    keys.flatMap((key) => {
      const text = byPath.get(sysctlPath(key));
      return typeof text === 'string' ? [[key, canonicalText(text)] as const] : [];
    }),
  );
}
