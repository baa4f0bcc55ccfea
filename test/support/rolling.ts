/** A stack of replicas whose changes roll, and what is seen of it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { assertNoLeaks, snapshot } from './leaks.ts';
import { sandbox } from './sandbox.ts';
import type { Sandbox } from './sandbox.ts';

export const stack = (command: string, update: string): string => `tsbox: 1
name: roll
variables: { version: { type: string, default: one } }
containers:
  web:
    command: [sh, -c, '${command}']
    env: { VERSION: "\${version}" }
    replicas: 4
    update: ${update}
`;

/** Ends at once as version bad, and as version third in the third replica. */
export const COMMAND = 'case $VERSION-$(hostname) in bad-*|third-web-2) exit 9;; esac; exec sleep infinity';

interface Row {
  readonly name: string;
  readonly pid: number | null;
}

export async function pids(box: Sandbox): Promise<Map<string, number>> {
  const { stdout } = await box.tsbox('ps', '--json', '--stack', 'roll');
  return new Map((JSON.parse(stdout) as Row[]).map((r) => [r.name, r.pid ?? 0]));
}

/** Replicas of which a process is there, of whichever generation. */
export function up(box: Sandbox): number {
  const stack = box.cgroupDir('pids', 'roll');
  const busy = readdirSync(stack).filter(
    (name) => name.startsWith('web.') && readFileSync(join(stack, name, 'cgroup.procs'), 'utf8') !== '',
  );
  return new Set(busy.map((name) => name.replace(/~.*/, ''))).size;
}

export async function withStack(text: string, body: (box: Sandbox) => Promise<void>): Promise<void> {
  const before = await snapshot();
  const box = await sandbox('rolling');
  try {
    box.write('tsbox.yaml', text);
    const applied = await box.tsbox('apply', '--auto-approve');
    assert.is(applied.code, 0, applied.stderr);
    await body(box);
    assert.is((await box.tsbox('destroy', '--stack', 'roll', '--auto-approve')).code, 0);
    assertNoLeaks(before, await snapshot());
  } finally {
    await box.cleanup();
  }
}

interface JournalLine {
  readonly event: string;
  readonly address?: string;
  readonly id: string;
}

/** Begins and ends of the last apply, in order. */
export function lastApply(box: Sandbox): JournalLine[] {
  const text = readFileSync(`${box.runDir}/roll/journal.jsonl`, 'utf8').trimEnd();
  const all = text.split('\n').map((l) => JSON.parse(l) as JournalLine);
  return all.filter((l) => l.id === all.at(-1)?.id && l.address !== undefined);
}

export function mostAtOnce(lines: readonly JournalLine[]): number {
  let now = 0;
  let most = 0;
  for (const { event } of lines) {
    now += event === 'begin' ? 1 : -1;
    most = Math.max(most, now);
  }
  return most;
}
