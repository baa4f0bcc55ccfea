/** What a question of several parts is called in a recording. */
import type { FileRange } from '../image-files.ts';
import type { SysctlGroup } from '../init-spec.ts';

export const question = {
  inRoot: (root: string) => (path: string) => `${root} ${path}`,
  xattr: (name: string) => (path: string) => `${name} ${path}`,
  hook: (hook: number) => (cgroup: string) => `${hook} ${cgroup}`,
  account: (roots: readonly string[], name: string) => `${name} ${roots.join(':')}`,
  imageFile: (where: string, name: string) => `${where} ${name}`,
  range: ({ path, start, size }: FileRange) => `${path} ${start} ${size}`,
} as const;

/** A question for each entry; what a new namespace has is asked without a path. */
export function sysctlQuestions({ type, path, entries }: SysctlGroup): string[] {
  return entries.map(([key]) => `${type} ${path} ${key}`);
}
