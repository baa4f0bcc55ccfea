/** What the language makes of a set of stack files: typed, defaults filled in, every value traceable to its line. */
import type { SourceSpan } from '../errors.ts';
import type { ContainerSpec } from '../resources/container/schema.ts';
import type { CgroupSpec } from '../resources/cgroup/schema.ts';
import type { FileSpec } from '../resources/files.ts';
import type { Origins } from '../resources/origins.ts';
import type { VolumeSpec } from '../resources/volume/schema.ts';
import type { NamespaceSpec } from '../resources/namespace/schema.ts';
import type { DeviceRule } from '../resources/devices/schema.ts';
import type { DriftSettings } from '../resources/drift-settings.ts';
import type { Blocks } from './blocks.ts';
import type { Condition } from './conditions.ts';
import type { Meta } from './meta.ts';

export type { Condition, Expression } from './conditions.ts';
export type { Meta } from './meta.ts';

export interface Warning {
  readonly message: string;
  readonly at?: SourceSpan | undefined;
  readonly sourceLine?: string | undefined;
}

export interface Stack {
  readonly name: string;
  /** The files read, in merge order. */
  readonly files: readonly string[];
  /** Directory of the first file: relative paths in the stack are resolved against the directory of the file they stand in. */
  readonly directory: string;
  /** Texts of all files that were read, by the names they were given or included with. */
  readonly sources?: ReadonlyMap<string, string>;
  readonly variables: Readonly<
    Record<string, { readonly value: string | number | boolean; readonly sensitive: boolean }>
  >;
  /** Values of sensitive variables, those of modules too: no output shows them. */
  readonly sensitive: readonly string[];
  /** By full path ('tenants/api'), parents before children; children are lifted out of the nested form. */
  readonly cgroups: ReadonlyMap<string, CgroupSpec>;
  readonly namespaces: ReadonlyMap<string, NamespaceSpec>;
  /** Named rule sets. */
  readonly devices: ReadonlyMap<string, readonly DeviceRule[]>;
  readonly containers: ReadonlyMap<string, ContainerSpec>;
  readonly volumes: ReadonlyMap<string, VolumeSpec>;
  /** Contents that containers are given as files; those of secrets are shown nowhere. */
  readonly secrets: ReadonlyMap<string, FileSpec>;
  readonly configs: ReadonlyMap<string, FileSpec>;
  /** Unresolved references such as ${container.db.pid} stay as text; the CLI fills them after apply. */
  readonly outputs: ReadonlyMap<string, { readonly value: string; readonly sensitive: boolean }>;
  /** Preconditions, checks and policies. */
  readonly conditions: readonly Condition[];
  /** What is moved, removed and imported. */
  readonly blocks: Blocks;
  /** Lifecycles and the like, by address. */
  readonly meta: ReadonlyMap<string, Meta>;
  /** What of drift raises no alarm, and how bad the rest is; plans do not know it. */
  readonly drift?: DriftSettings | undefined;
  readonly warnings: readonly Warning[];
  /** Modules and for_each, for whoever names resources otherwise. */
  readonly origins?: Origins;
  /** The place of a value by its address and path, e.g. locate('container/db', ['memory', 'max']); nearest parent if absent. */
  locate(address: string, path: ReadonlyArray<string | number>): SourceSpan | undefined;
}
