/** Files of variables: `--var-file FILE`, a YAML map from names to text, numbers and booleans. */
import { dirname, resolve } from 'node:path';
import { TsboxError, TsboxErrors } from '../errors.ts';
import { parseFile } from './parse.ts';
import { decode, located, readBytes, sourceFile } from './source.ts';

/**
 * The variables of the files, later ones over earlier ones, as text.
 * @throws TsboxErrors with every error of the files
 */
export function readVariableFiles(names: readonly string[]): Record<string, string> {
  const problems: TsboxError[] = [];
  const variables: Record<string, string> = {};
  for (const name of names) {
    const path = resolve(name);
    const file = sourceFile(name, path, dirname(path), decode(readBytes(path, name), name));
    for (const [key, { tree }] of parseFile(file, problems)?.entries ?? []) {
      if (tree.kind === 'scalar' && tree.value !== null && !tree.broken) {
        variables[key] = tree.written ?? String(tree.value);
      } else if (!(tree.kind === 'scalar' && tree.broken)) {
        const info = { ...located(tree.place), expected: 'text, a number, true or false' };
        problems.push(new TsboxError('TSB1006', `the variable '${key}' has no single value here`, info));
      }
    }
  }
  if (problems.length > 0) {
    throw new TsboxErrors(problems);
  }
  return variables;
}
