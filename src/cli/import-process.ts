/** `import pid`: the stack of one container that is like a running process. */
import { openReader } from '../kernel/reader.ts';
import { describeProcess, type Remark } from '../resources/container/describe/index.ts';
import type { Label } from '../resources/label.ts';
import { fit, literal } from '../stack/fit.ts';
import { stackText } from '../stack/write.ts';
import type { Arguments } from './args.ts';
import { nameFrom } from './cgroup-path.ts';
import { cgroupOf, findContainers } from './containers.ts';
import { EXIT } from './exit.ts';
import { out } from './output.ts';
import { requirePrivileges } from './session.ts';

/** @throws TsboxError TSB2003 when there is no such process */
export async function importProcess(args: Arguments, pid: number): Promise<number> {
  const reader = openReader(process.env);
  requirePrivileges(reader, 'import pid');
  const places = findContainers(reader).map((c) => ({
    owner: { name: `${c.stack}:${c.name}`, rootfs: rootfsOf(c.entry.label) },
    path: cgroupOf(reader, c),
  }));
  const found = await describeProcess(
    reader,
    pid,
    (cgroup) => places.find(({ path }) => cgroup === path || cgroup.startsWith(`${path}/`))?.owner,
  );
  const container: Record<string, unknown> = { ...found.fields };
  const remarks: Remark[] = [...found.remarks];
  fit(container, (path, text) => remarks.push({ field: `container key ${path || '(all)'}`, text }));
  const name = args.values.name ?? nameFrom(found.comm);
  const stack = { tsbox: 1, name, containers: { [nameFrom(found.comm)]: container } };
  if (args.flags.json === true) {
    out(`${JSON.stringify({ stack, remarks }, null, 2)}\n`);
    return EXIT.ok;
  }
  const lines = remarks.map(({ field, text }) => `#   ${field}: ${text}`.replaceAll(/[^\P{C}\t]+/gu, ' '));
  out(
    [
      `# Process ${pid} (${found.comm.replaceAll(/\p{C}/gu, '?')}) as it was. apply starts a copy; the process itself is left alone.`,
      ...(lines.length === 0 ? [] : ['# Not told, or done otherwise:', ...lines]),
      stackText({ ...stack, containers: literal(stack.containers) }),
    ].join('\n'),
  );
  return EXIT.ok;
}

function rootfsOf(label: Label | undefined): string | undefined {
  const applied = label?.applied?.['rootfs'];
  return typeof applied === 'string' ? applied : undefined;
}
