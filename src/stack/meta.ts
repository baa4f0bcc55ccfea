/** What every resource may say besides its own keys. */
import { lifecycleSchema, type Lifecycle } from '../resources/lifecycle.ts';
import { child, toData } from './tree.ts';
import type { Tree } from './tree.ts';

export interface Meta {
  readonly lifecycle?: Lifecycle;
}

/** Undefined where nothing is said. Errors are told by the schema of the resource, of which this is a part. */
export function metaOf(tree: Tree): Meta | undefined {
  const given = child(tree, 'lifecycle');
  const lifecycle = given === undefined ? undefined : lifecycleSchema.safeParse(toData(given)).data;
  return lifecycle === undefined ? undefined : { lifecycle };
}
