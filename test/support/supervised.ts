/** Stacks of a test's own, made, looked at and removed. */
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from './leaks.ts';
import { sandbox, type Sandbox } from './sandbox.ts';

export interface PsRow {
  readonly name: string;
  readonly state: string;
  readonly pid: number | null;
  readonly restarts: number;
  readonly health: string | null;
}

/** What ps says, by the container's name. */
export async function psRows(box: Sandbox): Promise<Map<string, PsRow>> {
  const { stdout } = await box.tsbox('ps', '--all', '--json');
  return new Map((JSON.parse(stdout) as PsRow[]).map((r) => [r.name, r]));
}

/** Runs the body with the stack in a file, then destroys it and looks for what is left. */
export async function withStack(yaml: string, body: (box: Sandbox, file: string) => Promise<void>): Promise<void> {
  const before = await snapshot();
  const box = await sandbox('supervised');
  const file = box.write('tsbox.yaml', yaml);
  try {
    await body(box, file);
    const destroyed = await box.tsbox('destroy', '-f', file, '--auto-approve');
    assert.is(destroyed.code, 0, destroyed.stderr);
    assertNoLeaks(before, await snapshot());
  } finally {
    await box.cleanup();
  }
}
