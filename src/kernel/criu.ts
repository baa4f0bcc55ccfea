/** CRIU, the program that writes processes into files and makes them again: criu(8). */
import { findProgram, runProgram } from './program.ts';

export type CriuState =
  | { readonly works: true; readonly path: string }
  | { readonly works: false; readonly reason: string; readonly remedy: string };

/** Whether criu is here and this kernel lets it work, by its own check. */
export async function checkCriu(): Promise<CriuState> {
  const path = findProgram('criu');
  if (path === undefined) {
    return { works: false, reason: 'criu is not installed', remedy: 'install CRIU (Debian: apt-get install criu)' };
  }
  const { code, stdout, stderr } = await runProgram(path, ['check']);
  if (code === 0) {
    return { works: true, path };
  }
  const text = stdout + stderr;
  const errors = criuErrors(text);
  const version = await runProgram(path, ['--version']);
  return {
    works: false,
    reason: `criu check: ${errors.length > 0 ? errors.join('; ') : text.trim() || `exit code ${code}`}`,
    remedy: /vdso/i.test(text)
      ? `CRIU ${/Version:\s*(\S+)/.exec(version.stdout)?.[1] ?? ''} does not know this kernel's vDSO: a newer CRIU may`
      : 'criu check names what this kernel lacks; load its modules or use a newer CRIU',
  };
}

/** The program ends a helper with status 1 to find a feature out; none of these is why something failed. */
const NOISE = /exited, status=|Diag module missing|Can't wait or bad status/;

/** Messages of the error lines of a log, without time and place in the source: '(00.1) Error (criu/x.c:1): text'. */
export function criuErrors(log: string): string[] {
  const errors = log.split('\n').flatMap((line) => {
    const text = /Error \([^)]*\):\s*(.*)$/.exec(line)?.[1];
    return text === undefined || NOISE.test(text) ? [] : [text.trim().replace(/\.$/, '')];
  });
  return [...new Set(errors)];
}

/** Descriptors that native/init/restore.c hands to criu. */
export const CRIU_FDS = { stdout: 200, stderr: 201, stdin: 202, namespace: 208 } as const;
