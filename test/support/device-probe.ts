/** Builds device-probe.c; the tests that use it say so when there is no compiler. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { repository } from './sandbox.ts';

export const hasCompiler = spawnSync('cc', ['--version']).status === 0;

/** Compiles the probe, statically so that any root will do, and returns its path. */
export function buildProbe(directory: string): string {
  const binary = join(directory, 'device-probe');
  const source = join(repository(), 'test', 'support', 'device-probe.c');
  const built = spawnSync('cc', ['-O2', '-Wall', '-Werror', '-static', '-o', binary, source], { encoding: 'utf8' });
  if (built.status !== 0) throw new Error(`cc: ${built.stderr}`);
  return binary;
}
