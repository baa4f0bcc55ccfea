/**
 * The one error type of tsbox and the one table of its codes.
 *
 * docs/errors.md is generated from CODES. Messages are lower case, without a full stop, and name the path or value.
 */

/** A place in a stack file. Lines and columns count from 1; offsets are UTF-16 units from the file's start. */
export interface SourceSpan {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Length of the marked text on that line, at least 1. */
  readonly length: number;
}

/** Stable error codes: key, what it means, whose fault it is. */
export const CODES = {
  TSB1001: 'a stack file could not be read',
  TSB1002: 'a stack file is not valid YAML',
  TSB1003: 'a stack file does not follow the language',
  TSB1004: 'a reference points at nothing',
  TSB1005: 'things depend on each other in a circle',
  TSB1006: 'a variable has no value or a wrong one',
  TSB1007: 'a stack file exceeds a limit (size, depth, aliases)',
  TSB1008: 'an include cannot be used',
  TSB1009: 'this kernel cannot do what the stack asks',
  TSB1010: 'an image cannot be used: its reference, its layout, or what it says of itself',
  TSB2001: 'a command line argument is wrong',
  TSB2002: 'a privilege is missing',
  TSB2003: 'no such container, cgroup or stack',
  TSB2004: 'the operation needs a running container',
  TSB3001: 'the kernel refused an operation',
  TSB3002: 'a container could not be started',
  TSB3003: 'what was applied does not read back as declared',
  TSB3004: 'another apply holds the lock of this stack',
  TSB3005: 'the run was interrupted',
  TSB3006: 'the plan is stale: the live system moved since it was made',
  TSB3007: 'an object belongs to another stack or installation',
  TSB3008: 'a process or cgroup would not go away in time',
  TSB3009: 'a program of this machine that was needed failed or is missing',
  TSB3010: 'a layer or archive was refused while it was unpacked',
  TSB3011: 'it cannot be told what of the store of images is in use',
  TSB3012: 'a resource is protected, or a condition or a policy refuses the change',
  TSB3013: 'a saved plan cannot be used: it is damaged, was changed, or comes from elsewhere',
  TSB3014: 'a recorded kernel cannot be used: it is damaged, or was not asked this',
  TSB3020: 'a container could not be checkpointed or restored',
  TSB4001: 'a test is not as its run says: an assertion does not hold, or an expected failure did not come',
  TSB9001: 'the native addon cannot be loaded',
  TSB9002: 'a bug in tsbox',
} as const;

export type ErrorCode = keyof typeof CODES;

export interface TsboxErrorInfo {
  /** Where in a stack file. */
  readonly at?: SourceSpan | undefined;
  /** The source line the span lies on, for the excerpt. */
  readonly sourceLine?: string | undefined;
  /** What would have been right. */
  readonly expected?: string | undefined;
  /** How to go on: did-you-mean, a command, a setting. */
  readonly hint?: string | undefined;
  /** Resource address, e.g. container/db. */
  readonly address?: string | undefined;
  readonly syscall?: string | undefined;
  readonly errno?: number | undefined;
  /** Symbolic errno, e.g. EPERM. */
  readonly errnoCode?: string | undefined;
  /** The path or object the syscall was about. */
  readonly subject?: string | undefined;
  readonly cause?: unknown;
}

export class TsboxError extends Error {
  readonly code: ErrorCode;
  readonly info: TsboxErrorInfo;
  constructor(code: ErrorCode, message: string, info: TsboxErrorInfo = {}) {
    super(message, info.cause === undefined ? undefined : { cause: info.cause });
    this.name = 'TsboxError';
    this.code = code;
    this.info = info;
  }
}

/** With the line that it is about, from the texts that a stack was read from, where it has a place alone. */
export function withExcerpt(error: TsboxError, sources: ReadonlyMap<string, string> | undefined): TsboxError {
  const { at, sourceLine } = error.info;
  const line = at === undefined ? undefined : sources?.get(at.file)?.split('\n')[at.line - 1];
  return line === undefined || sourceLine !== undefined
    ? error
    : new TsboxError(error.code, error.message, { ...error.info, sourceLine: line });
}

/** Several errors found in one pass (a stack file's), in source order. */
export class TsboxErrors extends Error {
  readonly errors: readonly TsboxError[];
  constructor(errors: readonly TsboxError[]) {
    super(errors.map((e) => e.message).join('\n'));
    this.name = 'TsboxErrors';
    this.errors = errors;
  }
}

/** The errors in what was thrown; anything that is none of ours is thrown again. */
export function errorsOf(thrown: unknown): readonly TsboxError[] {
  if (thrown instanceof TsboxErrors) {
    return thrown.errors;
  }
  if (thrown instanceof TsboxError) {
    return [thrown];
  }
  throw thrown;
}

/** Symbolic errno of what a system call threw, e.g. ENOENT; '' where there is none. */
export function errnoOf(thrown: unknown): string {
  return (thrown as NodeJS.ErrnoException | null)?.code ?? '';
}

/** The same for people: where there is none, the message. */
export function whyOf(thrown: unknown): string {
  const code = errnoOf(thrown);
  return code === '' ? (thrown as Error).message : code;
}
