/** The stacks of a revision: each YAML file of its directory that says `tsbox:` is one; what they include lies deeper. */
import { lstatSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { TsboxError } from '../../errors.ts';
import type { Stack } from '../../stack/types.ts';

export interface TreeStack {
  readonly stack: Stack;
  readonly file: string;
}

/**
 * @param load reads one stack file; its errors name file and line
 * @param gone what to do without the directory: git keeps none that is empty, so the last stack takes it along
 */
export async function stacksOf(
  tree: string,
  subdirectory: string,
  load: (file: string) => Promise<Stack>,
  gone: 'error' | 'empty' = 'error',
): Promise<TreeStack[]> {
  const directory = join(tree, normalize(`/${subdirectory}`));
  const found = lstatSync(directory, { throwIfNoEntry: false });
  if (found === undefined && gone === 'empty') {
    return [];
  }
  if (found?.isDirectory() !== true) {
    throw new TsboxError('TSB1001', `the revision has no directory ${subdirectory}`);
  }
  // Links are checked out as plain files; what is one nevertheless is not ours.
  if (!`${realpathSync(directory)}/`.startsWith(`${realpathSync(tree)}/`)) {
    throw new TsboxError('TSB1001', `${subdirectory} leads out of the revision`);
  }
  const files = readdirSync(directory, { withFileTypes: true })
    .filter((e) => e.isFile() && /\.ya?ml$/.test(e.name))
    .map((e) => join(directory, e.name))
    .filter((file) => /^tsbox:/m.test(readFileSync(file, 'utf8')))
    .sort();
  const stacks: TreeStack[] = [];
  for (const file of files) {
    const stack = await load(file);
    const other = stacks.find((s) => s.stack.name === stack.name);
    if (other !== undefined) {
      throw new TsboxError('TSB1003', `${file} and ${other.file} are both the stack ${stack.name}`);
    }
    stacks.push({ stack, file });
  }
  return stacks;
}
