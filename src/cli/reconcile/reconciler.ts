/**
 * One source of stacks in git, kept applied: fetch, verify, plan, judge, apply, wait for health, prune, roll back. One
 * attempt for each revision; what the kernel holds decides, the status only says what was tried.
 */
import { join } from 'node:path';
import { TsboxError } from '../../errors.ts';
import { GitMirror, withoutUser } from '../../kernel/git.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import type { Stack } from '../../stack/types.ts';
import type { Tell } from '../daemon/happenings.ts';
import { waitHealthy } from '../daemon/health.ts';
import { applyQuietly, reasonOf, type Judge, type Outcome } from '../quiet-apply.ts';
import type { StackInfo } from '../daemon/stack-info.ts';
import { Approval } from './approval.ts';
import { judgeRevision, type Verdict } from './judge.ts';
import { Counts } from './metrics.ts';
import { Ownership } from './ownership.ts';
import type { Policy } from './policy.ts';
import { standingOf } from './standing.ts';
import { FINAL, readStatus, writeStatus, type Result, type Status } from './status.ts';
import { Suspension } from './suspension.ts';
import { stacksOf, type TreeStack } from './tree.ts';
import { closedBy, type Window } from './windows.ts';

export interface ReconcileOptions {
  readonly source: string;
  /** Names the source on this machine: the last part of its state directory, and the mark on its stacks. */
  readonly id: string;
  readonly directory: string;
  readonly branch: string | undefined;
  readonly subdirectory: string;
  readonly verify: boolean;
  readonly signers: string | undefined;
  readonly policy: Policy;
  readonly prune: boolean;
  readonly allowEmpty: boolean;
  readonly rollback: boolean;
  readonly healthTimeoutMs: number;
  readonly windows: readonly Window[];
  /** A second place for the status. */
  readonly statusFile: string | undefined;
  load(file: string): Promise<Stack>;
}

const LOCK_PATIENCE = 30_000;

/** What is tried again. */
const HELD_UP: Readonly<Partial<Record<Outcome['result'], Result>>> = { locked: 'waiting', refused: 'pending' };

/** What a try came to. */
interface Ended {
  readonly result: Result;
  readonly reason: string | null;
}

export class Reconciler {
  readonly status: Status;
  readonly counts = new Counts();
  /** How each stack of the source stood at the end of the last round. */
  stacks: readonly StackInfo[] = [];
  readonly #kernel: Kernel;
  readonly #options: ReconcileOptions;
  readonly #git: GitMirror;
  readonly #ownership: Ownership;
  readonly #approval: Approval;
  readonly #suspension: Suspension;
  readonly #tell: Tell;
  readonly #ended: () => boolean;

  constructor(kernel: Kernel, options: ReconcileOptions, tell: Tell, ended: () => boolean) {
    this.#kernel = kernel;
    this.#options = options;
    this.#tell = tell;
    this.#ended = ended;
    kernel.makeStateDir(options.directory);
    this.#approval = new Approval(kernel, options.directory);
    this.#suspension = new Suspension(kernel, options.directory);
    this.#ownership = new Ownership(kernel, options.id);
    this.#git = new GitMirror(options.directory, options.source, options.signers);
    this.status = readStatus(join(options.directory, 'status.json'), withoutUser(options.source));
  }

  /** One round. Never throws for what is wrong with the source or its stacks: the status says it. */
  async round(): Promise<void> {
    const { status } = this;
    const began = Date.now();
    status.error = null;
    try {
      const revision = await this.#revision();
      if (revision !== undefined) {
        await this.#bring(revision);
      }
    } catch (error) {
      status.error = reasonOf(error);
      this.#tell({ event: 'round_failed', message: status.error });
    }
    status.checked = new Date().toISOString();
    this.counts.round(began, status.error !== null);
    this.save();
  }

  save(nextTry: Date | null = null): void {
    this.status.nextTry = nextTry?.toISOString() ?? null;
    writeStatus(join(this.#options.directory, 'status.json'), this.status, 0o600);
    if (this.#options.statusFile !== undefined) {
      writeStatus(this.#options.statusFile, this.status, 0o644);
    }
  }

  /** Two at work on one source would undo each other. The lock ends with us. */
  lock(): void {
    const fd = this.#kernel.lockDir(this.#options.directory);
    if (fd < 0) {
      throw new TsboxError('TSB3004', `another reconcile keeps ${withoutUser(this.#options.source)} applied`, {
        hint: 'SIGHUP to it looks at once',
      });
    }
  }

  /** Gives the word for the plan that waits for it. */
  approve(commit: string): void {
    const pending = this.#approval.give(this.status.pending, commit);
    this.#tell({ event: 'approved', message: `${pending.commit}: ${pending.plan.join(', ')}`, commit: pending.commit });
  }

  /** Since when nothing is applied; undefined when it is. */
  get suspended(): string | undefined {
    return this.#suspension.since();
  }

  /** From the next round on nothing is applied, pruned or rolled back; how it stands is still looked at. */
  suspend(): void {
    this.#tell({ event: 'suspended', message: `suspended since ${this.#suspension.begin()}` });
  }

  resume(): void {
    this.#suspension.end();
    this.#tell({ event: 'resumed', message: 'the next round applies what is to be applied' });
  }

  /** The revision to be applied: the head, or the last whose signature was good. */
  async #revision(): Promise<string | undefined> {
    const { status } = this;
    const { branch, commit } = await this.#git.fetch(this.#options.branch);
    const news = commit !== status.seen;
    [status.branch, status.seen] = [branch, commit];
    if (news) {
      this.#tell({ event: 'seen', message: `${commit} ${await this.#git.subject(commit)}`, commit, branch });
    }
    if (!this.#options.verify) {
      return commit;
    }
    const verdict = await this.#git.verify(commit);
    if (verdict.good) {
      status.verified = commit;
      return commit;
    }
    const stays = status.verified === null ? 'nothing is applied' : `${status.verified} stays`;
    status.error = `the signature of ${commit} is not good (${verdict.text}): ${stays}`;
    if (news) {
      this.#tell({ event: 'unverified', message: status.error, commit, verified: status.verified });
    }
    return status.verified ?? undefined;
  }

  async #bring(commit: string): Promise<void> {
    const { status } = this;
    const tried = status.attempt?.commit === commit && FINAL.includes(status.attempt.result);
    if (tried) {
      if (status.rollbackWaits && this.#options.rollback && this.suspended === undefined) {
        await this.#rollBack(commit, status.attempt?.reason ?? '');
      }
      if (status.attempt?.result !== 'applied') {
        status.error ??= `${commit}: ${status.attempt?.reason ?? ''}`;
      }
      await this.#look();
      return;
    }
    const before = status.attempt;
    status.rollbackWaits = false;
    const { result, reason } = await this.#attempt(commit);
    this.counts.attempt(result);
    status.attempt = { commit, at: new Date().toISOString(), result, reason };
    if (result === 'applied') {
      status.good = { commit, at: status.attempt.at };
      status.rolledBack = null;
    } else {
      status.error = reason;
    }
    if (before?.commit !== commit || before.result !== result || before.reason !== reason) {
      this.#tell({ event: result, message: `${commit}${reason === null ? '' : `: ${reason}`}`, commit, reason });
    }
    if (['invalid', 'pending'].includes(result) && status.good !== null) {
      // What runs may have mounted files of the tree.
      await this.#git.checkOut(status.good.commit);
    }
    if (result === 'failed' && this.#options.rollback) {
      await this.#rollBack(commit, reason ?? '');
    }
    await this.#look();
  }

  async #attempt(commit: string): Promise<Ended> {
    const since = this.#suspension.since();
    const closed = since === undefined ? closedBy(this.#options.windows, new Date()) : `suspended since ${since}`;
    if (closed !== undefined) {
      return { result: 'waiting', reason: closed };
    }
    let stacks: TreeStack[];
    try {
      await this.#git.checkOut(commit);
      stacks = await this.#stacks();
      this.#ownership.refuseForeign(stacks);
    } catch (error) {
      return { result: 'invalid', reason: reasonOf(error) };
    }
    if (stacks.length === 0 && !this.#options.allowEmpty) {
      const reason = 'the revision declares no stack: nothing is removed without --allow-empty';
      return { result: 'invalid', reason };
    }
    const { policy } = this.#options;
    let verdict: Verdict;
    try {
      verdict = await judgeRevision(this.#kernel, policy, this.#approval, commit, stacks, this.#vanished(stacks));
    } catch (error) {
      return { result: 'invalid', reason: reasonOf(error) };
    }
    this.status.pending = 'pending' in verdict ? verdict.pending : null;
    if ('pending' in verdict) {
      return { result: 'pending', reason: verdict.reason };
    }
    const ended = await this.#apply(stacks, verdict.judge);
    if (ended.result !== 'waiting') {
      this.#approval.forget();
    }
    return ended;
  }

  /** Stacks of ours that the revision has no more, where they are to be removed. */
  #vanished(stacks: readonly TreeStack[]): string[] {
    return this.#options.prune ? this.#ownership.vanished(stacks) : [];
  }

  #stacks(): Promise<TreeStack[]> {
    const { subdirectory, allowEmpty, load } = this.#options;
    return stacksOf(this.#git.tree, subdirectory, load, allowEmpty ? 'empty' : 'error');
  }

  /** @param judge asked about each plan under its stack's lock: what was judged before may have moved since */
  async #apply(stacks: readonly TreeStack[], judge?: Judge): Promise<Ended> {
    const names = stacks.map((s) => s.stack.name);
    for (const { stack } of stacks) {
      const outcome = await applyQuietly(this.#kernel, stack.name, stack, {
        targets: [],
        destroy: false,
        lockTimeoutMs: LOCK_PATIENCE,
        interrupted: this.#ended,
        judge,
      });
      this.#count(outcome);
      if (outcome.result === 'refused') {
        return { result: 'pending', reason: `${stack.name}: ${outcome.reason}` };
      }
      if (outcome.result !== 'locked') {
        this.#ownership.mark(stack.name);
      }
      if (outcome.result === 'locked' || (outcome.result === 'failed' && this.#ended())) {
        return { result: 'waiting', reason: `${stack.name}: ${outcome.reason}` };
      }
      if ('reason' in outcome) {
        return { result: 'failed', reason: `${stack.name}: ${outcome.reason}` };
      }
      if (outcome.changed.length > 0) {
        const message = `${stack.name}: ${outcome.changed.join(', ')}`;
        this.#tell({ event: 'changed', stack: stack.name, message, changed: outcome.changed });
      }
    }
    for (const name of this.#vanished(stacks)) {
      const outcome = await applyQuietly(this.#kernel, name, undefined, {
        targets: [],
        destroy: true,
        lockTimeoutMs: LOCK_PATIENCE,
        judge,
      });
      this.#count(outcome);
      if ('reason' in outcome) {
        return { result: HELD_UP[outcome.result] ?? 'failed', reason: `${name}: ${outcome.reason}` };
      }
      this.counts.pruned++;
      this.#tell({ event: 'pruned', stack: name, message: `${name} is not in the revision any more` });
    }
    this.status.stacks = names;
    const unwell = await waitHealthy(this.#kernel, names, this.#options.healthTimeoutMs, this.#ended);
    if (unwell !== undefined) {
      return { result: this.#ended() ? 'waiting' : 'failed', reason: unwell };
    }
    return { result: 'applied', reason: null };
  }

  async #rollBack(from: string, reason: string): Promise<void> {
    const { status } = this;
    const to = status.good?.commit;
    if (to === undefined || to === from) {
      this.#tell({ event: 'no_rollback', message: 'no revision before it was applied and healthy', commit: from });
      return;
    }
    await this.#git.checkOut(to);
    const { result, reason: problem } = await this.#apply(await this.#stacks());
    const at = new Date().toISOString();
    status.rollbackWaits = result === 'waiting';
    if (result === 'applied') {
      this.counts.attempt('rolled_back');
      status.rolledBack = { from, to, at, reason };
      status.attempt = { commit: from, at, result: 'rolled_back', reason };
      status.error = `${from} failed (${reason}): back to ${to}`;
    } else {
      status.error = `${from} failed (${reason}), and so did the way back to ${to}: ${problem ?? ''}`;
    }
    this.#tell({ event: result === 'applied' ? 'rolled_back' : 'rollback_failed', message: status.error, from, to });
  }

  /** How it stands now; nothing is changed. */
  async #look(): Promise<void> {
    const { status } = this;
    // The tree of a revision that was invalid before any was good cannot be read: that was told as its result.
    const readable = status.stacks.length > 0 && (status.attempt?.result !== 'invalid' || status.good !== null);
    const { stacks, drift } = await standingOf(this.#kernel, readable ? await this.#stacks() : [], status.stacks);
    this.stacks = stacks;
    status.drift = drift;
    status.health = stacks.every((s) => s.health === 'healthy') ? 'healthy' : 'degraded';
  }

  #count({ result }: Outcome): void {
    if (result !== 'refused') {
      this.counts.applies[result === 'done' || result === 'nothing' ? 'applied' : result]++;
    }
  }
}
