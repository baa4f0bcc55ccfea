/**
 * Git itself, run with as little as possible of what a repository or its surroundings could make it do: no hooks, no
 * prompts, no submodules, and no transport but files, https and ssh.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { TsboxError } from '../errors.ts';

const TIMEOUT = 120_000;
const OUTPUT_LIMIT = 1 << 20;
const BRANCH = /^[\w][\w./+@-]{0,200}$/;
/** What of our environment git may see. */
const PASSED =
  /^(PATH|HOME|USER|LANG|LC_\w+|TMPDIR|SSH_AUTH_SOCK|GNUPGHOME|GIT_SSH_COMMAND|GIT_CONFIG_GLOBAL|https?_proxy|no_proxy|HTTPS?_PROXY|NO_PROXY|SSL_CERT_\w+)$/;

const SETTINGS = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.symlinks=false',
  'core.autocrlf=false',
  'protocol.allow=never',
  'protocol.file.allow=always',
  'protocol.https.allow=always',
  'protocol.ssh.allow=always',
  'fetch.recurseSubmodules=no',
  'submodule.recurse=false',
  'transfer.fsckObjects=true',
  'gc.autoDetach=false',
];

/** A source as git takes it; paths are made absolute. Throws TSB2001 for a transport that is not taken. */
export function gitSource(text: string): string {
  const url = /^(https|ssh|file):\/\//.test(text);
  const scp = /^[\w.-]+@[\w.-]+:[^:]/.test(text);
  if (url || scp) {
    return text;
  }
  if (text.startsWith('-') || text.includes('::') || /^\w+:\/\//.test(text)) {
    throw new TsboxError(
      'TSB2001',
      `--git takes a path, https://, ssh:// or user@host:path, not '${withoutUser(text)}'`,
    );
  }
  const path = isAbsolute(text) ? text : resolve(text);
  if (!existsSync(path)) {
    throw new TsboxError('TSB2001', `${path} is not there`, { hint: '--git PATH_OR_URL' });
  }
  return path;
}

/** A URL as it may be shown: without a password or token. */
export function withoutUser(text: string): string {
  return text.replace(/^(\w+:\/\/)[^/@]*@/, '$1');
}

export interface Verdict {
  readonly good: boolean;
  readonly text: string;
}

export class GitMirror {
  readonly #directory: string;
  readonly #source: string;
  readonly #settings: readonly string[];

  /**
   * @param directory ours alone: the bare clone and its work tree are kept there
   * @param signers file of allowed signers for ssh signatures (ssh-keygen(1)); undefined for git's own setting
   */
  constructor(directory: string, source: string, signers: string | undefined) {
    this.#directory = directory;
    this.#source = source;
    this.#settings = signers === undefined ? SETTINGS : [...SETTINGS, `gpg.ssh.allowedSignersFile=${resolve(signers)}`];
  }

  /** Where the files of the last revision that was checked out are: the same path for each. */
  get tree(): string {
    return join(this.#directory, 'tree');
  }

  /** Fetches a branch; undefined is the one that the source's HEAD names. @returns the commit at its head */
  async fetch(wanted: string | undefined): Promise<{ readonly branch: string; readonly commit: string }> {
    if (!existsSync(join(this.#directory, 'repository', 'HEAD'))) {
      await this.#git(['init', '--quiet', '--bare', '--template=', join(this.#directory, 'repository')], false);
    }
    const branch = wanted ?? (await this.#defaultBranch());
    if (!BRANCH.test(branch) || branch.includes('..')) {
      throw new TsboxError('TSB2001', `'${branch}' is not the name of a branch`);
    }
    const ref = `refs/heads/${branch}`;
    await this.#git(['fetch', '--quiet', '--no-tags', '--force', '--', this.#source, `+${ref}:${ref}`]);
    return { branch, commit: (await this.#git(['rev-parse', '--verify', `${ref}^{commit}`])).trim() };
  }

  /** Whether git finds the commit's signature good. */
  async verify(commit: string): Promise<Verdict> {
    const { code, stdout, stderr } = await this.#run(['verify-commit', commit]);
    const said = `${stderr}${stdout}`
      .trim()
      .split('\n')
      .filter((l) => l !== '');
    return { good: code === 0, text: code === 0 ? (said[0] ?? 'good') : (said.at(-1) ?? 'it has no signature') };
  }

  /** Makes `tree` the files of a commit: what is the same in both stays untouched. */
  async checkOut(commit: string): Promise<void> {
    mkdirSync(this.tree, { recursive: true, mode: 0o700 });
    const at = [`--work-tree=${this.tree}`];
    await this.#git([...at, 'read-tree', '--reset', '-u', commit]);
    await this.#git([...at, 'checkout-index', '--all', '--force', '--quiet']);
    await this.#git([...at, 'clean', '-ffdxq']);
  }

  /** The first line of a commit's message, cut. */
  async subject(commit: string): Promise<string> {
    return (await this.#git(['log', '-1', '--format=%s', commit])).trim().slice(0, 120);
  }

  async #defaultBranch(): Promise<string> {
    const text = await this.#git(['ls-remote', '--symref', '--', this.#source, 'HEAD']);
    const branch = /^ref: refs\/heads\/(\S+)\s+HEAD$/m.exec(text)?.[1];
    if (branch === undefined) {
      throw new TsboxError('TSB3009', `${withoutUser(this.#source)} does not say which branch is its own`, {
        hint: '--branch NAME',
      });
    }
    return branch;
  }

  async #git(args: readonly string[], inRepository = true): Promise<string> {
    const { code, stdout, stderr } = await this.#run(args, inRepository);
    if (code !== 0) {
      const said = withoutUser(stderr.trim().split('\n').at(-1) ?? '')
        .split(this.#source)
        .join(withoutUser(this.#source));
      const what = args.find((a) => !a.startsWith('-')) ?? '';
      throw new TsboxError('TSB3009', `git ${what} failed (exit ${code}): ${said}`, {
        hint: stderr.includes('dubious ownership')
          ? 'it belongs to another user: git config --global --add safe.directory PATH says that it is trusted'
          : undefined,
      });
    }
    return stdout;
  }

  #run(args: readonly string[], inRepository = true): Promise<{ code: number; stdout: string; stderr: string }> {
    const env: NodeJS.ProcessEnv = {
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => PASSED.test(name))),
      GIT_TERMINAL_PROMPT: '0',
      GIT_ASKPASS: '/bin/false',
      SSH_ASKPASS: '/bin/false',
      GIT_SSH_COMMAND: process.env['GIT_SSH_COMMAND'] ?? 'ssh -oBatchMode=yes',
      GIT_INDEX_FILE: join(this.#directory, 'index'),
      LC_ALL: 'C',
    };
    const repository = inRepository ? [`--git-dir=${join(this.#directory, 'repository')}`] : [];
    const settings = this.#settings.flatMap((s) => ['-c', s]);
    return new Promise((done, reject) => {
      const child = spawn('git', [...settings, ...repository, ...args], {
        env,
        // What works on files works on those below its directory.
        cwd: args[0]?.startsWith('--work-tree=') === true ? this.tree : this.#directory,
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: TIMEOUT,
        killSignal: 'SIGKILL',
      });
      let stdout = '';
      let stderr = '';
      child.stdout.on('data', (d: Buffer) => (stdout = (stdout + d.toString()).slice(-OUTPUT_LIMIT)));
      child.stderr.on('data', (d: Buffer) => (stderr = (stderr + d.toString()).slice(-OUTPUT_LIMIT)));
      child.on('error', (cause: NodeJS.ErrnoException) =>
        reject(
          new TsboxError('TSB3009', cause.code === 'ENOENT' ? 'git is not on this machine' : `git: ${cause.message}`, {
            cause,
          }),
        ),
      );
      child.on('close', (code, signal) => {
        const late = signal === 'SIGKILL' ? `it did not finish within ${TIMEOUT / 1000} s` : '';
        done({ code: code ?? 1, stdout, stderr: late === '' ? stderr : late });
      });
    });
  }
}
