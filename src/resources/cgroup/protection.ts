/**
 * Protection of memory is handed down: a cgroup has no more of memory.min and memory.low than what is above it has
 * (cgroup-v2.rst, "Memory Interface Files"). The stack's directory and our root, which no stack declares, therefore hold
 * the sum of what is asked for below, or nothing of it would be in force.
 */
import { MAX_DIRECTORIES, type KernelReader } from '../../kernel/reader.ts';
import { directoryIn } from '../scope.ts';

export const PROTECTIONS = ['memory.min', 'memory.low'] as const;

/** A directory of ours that hands on more or less than what is asked for below it. */
export interface ProtectionGap {
  /** Path within the hierarchy. */
  readonly path: string;
  readonly file: string;
  /** Texts of the file: as it is, and as it should be. */
  readonly value: string;
  readonly wanted: string;
}

/** The gaps of a stack's directory and of our root, in the order in which they are to be closed. */
export function protectionGaps(reader: KernelReader, stack: string): ProtectionGap[] {
  const memory = reader.layout.byController.get('memory');
  if (memory?.version !== 2) {
    return [];
  }
  const { cgroupRoot } = reader.settings;
  const below = childrenOf(reader, directoryIn(memory.mount, cgroupRoot, stack));
  const stacks = childrenOf(reader, `${memory.mount}${cgroupRoot}`);
  return PROTECTIONS.flatMap((file) => {
    const gaps: ProtectionGap[] = [];
    const read = (paths: readonly string[]): Array<string | undefined> =>
      reader
        .readFiles(paths.map((p) => `${memory.mount}${p}/${file}`))
        .map((t) => (typeof t === 'string' ? t.trim() : undefined));
    const close = (path: string, wanted: string): void => {
      const [value] = read([path]);
      // Where the controller is not handed on there is no file, and nothing below asks for anything.
      if (value !== undefined && value !== wanted) {
        gaps.push({ path, file, value, wanted });
      }
    };
    const own = `${cgroupRoot}/${stack}`;
    const wanted = sum(read(below.map((name) => `${own}/${name}`)));
    if (stacks.includes(stack)) {
      close(own, wanted);
    }
    const others = stacks.filter((name) => name !== stack);
    const all = [...read(others.map((name) => `${cgroupRoot}/${name}`)), stacks.includes(stack) ? wanted : '0'];
    close(cgroupRoot, sum(all));
    return gaps;
  });
}

/** What a plan says of them, and of what is above our root, which is not ours to change. */
export function protectionWarnings(reader: KernelReader, stack: string): string[] {
  const memory = reader.layout.byController.get('memory');
  const gaps = protectionGaps(reader, stack).map(
    (g) =>
      `${g.path} hands on ${g.value} of the ${g.wanted} bytes of ${g.file} asked for below it: the next apply sets it`,
  );
  if (memory?.version !== 2) {
    return gaps;
  }
  const parts = reader.settings.cgroupRoot.split('/').filter((p) => p !== '');
  const above = parts.slice(0, -1).map((_, i) => `/${parts.slice(0, i + 1).join('/')}`);
  const texts = reader.readFiles(above.flatMap((path) => PROTECTIONS.map((file) => `${memory.mount}${path}/${file}`)));
  return [
    ...gaps,
    ...above.flatMap((path, i) =>
      PROTECTIONS.every((_, j) => texts[i * PROTECTIONS.length + j] === '0\n')
        ? [`${path} above our root has no memory.min and no memory.low: what is asked for below it is not in force`]
        : [],
    ),
  ];
}

function childrenOf(reader: KernelReader, directory: string): string[] {
  const walked = reader.walkDirs(directory, MAX_DIRECTORIES);
  return Array.isArray(walked)
    ? walked.map((d) => d.path).filter((p) => p !== '' && !p.includes('/') && !p.startsWith('_'))
    : [];
}

function sum(values: ReadonlyArray<string | undefined>): string {
  if (values.includes('max')) {
    return 'max';
  }
  return String(values.reduce((total, value) => total + Number(value ?? '0'), 0));
}
