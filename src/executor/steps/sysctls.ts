/** Kernel parameters in live namespaces, written by a short-lived child inside. */
import { TsboxError } from '../../errors.ts';
import type { NamespaceType } from '../../kernel/init-spec.ts';
import { pinPath } from '../../resources/namespace/index.ts';
import { canonicalText, sysctlGroups, sysctlPath } from '../../resources/namespace/sysctls.ts';
import type { Step } from '../../resources/step.ts';
import type { ExecutionContext } from '../context.ts';
import { readRun } from '../run-state.ts';

type Of<Op extends Step['op']> = Extract<Step, { op: Op }>;

const TIMEOUT = 30_000;

export async function setSysctls(context: ExecutionContext, step: Of<'sysctls'>): Promise<void> {
  const { kernel } = context;
  const values: Record<string, string> = { ...(await valuesOfNew(context, step.reset)), ...step.values };
  const groups = sysctlGroups({ file: sysctlFiles(context, step.target), keys: Object.keys(values) }, values);
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

/** The files of the namespaces whose parameters a step writes, by type. */
export function sysctlFiles(
  context: ExecutionContext,
  target: Of<'sysctls'>['target'],
): (type: NamespaceType) => { path: string; startTime: string } {
  if (target.kind === 'namespace') {
    const path = pinPath(context.kernel.settings.runDir, context.stackName, target.name);
    return () => ({ path, startTime: '' });
  }
  const run = readRun(context, target.path);
  if (run === undefined || run.pid === 0) {
    throw new TsboxError('TSB2004', `${target.path} is not running, so its kernel parameters cannot be set`);
  }
  return (type) => ({ path: `/proc/${run.pid}/ns/${type}`, startTime: run.startTime });
}
