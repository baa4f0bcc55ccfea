/** Builds the probes written in C; the tests that use them say so when there is no compiler. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { repository } from './sandbox.ts';

export const hasCompiler = spawnSync('cc', ['--version']).status === 0;

/** Compiles a probe, statically so that any root will do, and returns its path. */
export function buildProbe(directory: string, name = 'device-probe'): string {
  const binary = join(directory, name);
  const source = join(repository(), 'test', 'support', `${name}.c`);
  const built = spawnSync('cc', ['-O2', '-Wall', '-Werror', '-static', '-o', binary, source], { encoding: 'utf8' });
  if (built.status !== 0) throw new Error(`cc: ${built.stderr}`);
  return binary;
}
