/** Steps on a container's process: start, adopt, stop, policy, wait. */
import { TsboxError } from '../../errors.ts';
import { NAMESPACE_TYPES, policyText, type SuperviseSpec } from '../../kernel/init-spec.ts';
import { namespaceInode, parseStat } from '../../kernel/proc.ts';
import { deviceNames } from '../../resources/container/netdevs.ts';
import { containerAddress, leafPath, restartPolicy, runName } from '../../resources/container/declare.ts';
import { hookRecords, hooksTimeout } from '../../resources/container/hooks.ts';
import { namespaceSetup, processSpec, rootOps } from '../../resources/container/launch.ts';
import { outputOf } from '../../resources/container/log.ts';
import { mountLines } from '../../resources/container/mounts/live.ts';
import { leafName } from '../../resources/container/replica-names.ts';
import { keptDirectory } from '../../resources/container/rootfs.ts';
import type { ContainerSpec } from '../../resources/container/schema.ts';
import { keptFilter } from '../../resources/container/seccomp/use.ts';
import { isAlive } from '../../resources/processes.ts';
import {
  HEALTH_XATTR,
  HISTORY_XATTR,
  POLICY_XATTR,
  PROBE_XATTR,
  RUN_XATTR,
  SECCOMP_XATTR,
  SETTINGS_XATTR,
} from '../../resources/label.ts';
import { filtersOf, imageOf } from '../../resources/container/process/identity.ts';
import { parseLimits } from '../../resources/container/process/rlimits.ts';
import { SUPERVISORS } from '../../resources/scope.ts';
import type { Step } from '../../resources/step.ts';
import type { Stack } from '../../stack/types.ts';
import { allDirectories, primaryDirectory, stackRunDir, type ExecutionContext } from '../context.ts';
import { readLabel, writeLabel } from '../labels.ts';
import { restoreFailure, restoreSpec } from '../checkpoint/restore.ts';
import { launchFacts } from '../launch.ts';
import { endOrphans, supervisorTitle } from '../orphans.ts';
import { readRun } from '../run-state.ts';
import { killAll } from './cgroup.ts';
import { thawedAbove } from './freezer.ts';
import { startForeground } from './foreground.ts';
import { prepareImage, specWithImage } from './image.ts';
import { makeSupervisorsCgroup } from './namespace.ts';
import { mailboxPath, tellSupervisor } from './mailbox.ts';

type Of<Op extends Step['op']> = Extract<Step, { op: Op }>;

/** How long a container may take to reach its exec, ms. */
const START_TIMEOUT = 60_000;

/** How long criu may take: it reads back all the memory it wrote. */
const RESTORE_TIMEOUT = 600_000;

export function specOf(context: ExecutionContext, name: string): { stack: Stack; spec: ContainerSpec } {
  const spec = context.stack?.containers.get(name);
  if (context.stack === undefined || spec === undefined) {
    throw new TsboxError('TSB9002', `container/${name} is not in the stack`);
  }
  return { stack: context.stack, spec: specWithImage(context, spec) };
}

/** The log of a container. */
export function logPath(context: ExecutionContext, name: string): string {
  return `${stackRunDir(context)}/logs/${leafName(name)}.log`;
}

/** The description of a container's supervisor. */
export function superviseSpec(context: ExecutionContext, name: string, adopt: SuperviseSpec['adopt']): SuperviseSpec {
  const { kernel, stackName } = context;
  const { stack, spec } = specOf(context, name);
  const path = leafPath(spec);
  const facts = launchFacts(context, stack, spec);
  kernel.makeRunDir(`${stackRunDir(context)}/logs`);
  kernel.makeRunDir(mailboxPath(context, ''));
  kernel.makePrivateDir(`${stackRunDir(context)}/attach`);
  const v1 = allDirectories(context, path).filter((d) => d.version === 1);
  const supervisors = makeSupervisorsCgroup(context);
  const v2Supervisors = kernel.layout.hierarchies.find((h) => h.version === 2)?.mount;
  const process = processSpec(spec, facts);
  return {
    mode: 'supervise',
    title: supervisorTitle(stackName, runName(spec)),
    labelDir: primaryDirectory(context, path),
    runXattr: RUN_XATTR,
    policyXattr: POLICY_XATTR,
    healthXattr: HEALTH_XATTR,
    probeXattr: PROBE_XATTR,
    historyXattr: HISTORY_XATTR,
    mailbox: mailboxPath(context, runName(spec)),
    settingsXattr: SETTINGS_XATTR,
    supervisorProcs: supervisors.filter((p) => v2Supervisors === undefined || !p.startsWith(`${v2Supervisors}/`)),
    cgroup: kernel.layout.primary?.version === 2 ? primaryDirectory(context, path) : '',
    cgroupProcs: v1.map((d) => `${d.dir}/cgroup.procs`),
    namespaces: namespaceSetup(spec, facts),
    root: rootOps(spec, facts),
    process,
    hooks: hookRecords(spec.hooks, process.env),
    hookState: hookState(context, name),
    terminal: { ...spec.terminal, socket: `${stackRunDir(context)}/attach/${name}` },
    log: {
      path: spec.log.driver === 'file' ? logPath(context, name) : '',
      maxBytes: spec.log.maxSize,
      files: spec.log.files,
    },
    output: outputOf(spec.log, stackName, name),
    policy: restartPolicy(spec),
    adopt,
  };
}

/** The state that hooks read, in the form of the OCI runtime specification ("State"), up to its status. */
function hookState(context: ExecutionContext, name: string): string {
  const state = {
    ociVersion: '1.2.0',
    id: `${context.stackName}/${name}`,
    bundle: stackRunDir(context),
    annotations: { 'tsbox.stack': context.stackName, 'tsbox.address': containerAddress(name) },
  };
  return JSON.stringify(state).slice(0, -1);
}

function supervisorCgroup(context: ExecutionContext): string {
  return context.kernel.layout.primary?.version === 2 ? primaryDirectory(context, SUPERVISORS) : '';
}

/** Starts the process under a supervisor of its own and records what only a started process can tell. */
export async function startContainer(context: ExecutionContext, step: Of<'start'>): Promise<void> {
  const { kernel } = context;
  if (!context.cache.specs.has(step.container)) {
    await prepareImage(context, { container: step.container, digests: {} });
  }
  const { spec } = specOf(context, step.container);
  const path = leafPath(spec);
  if (readRun(context, path) !== undefined || context.cache.mayHaveOrphans) {
    // A supervisor of an apply that was killed may be there without having said so yet.
    const own = supervisorTitle(context.stackName, runName(spec));
    await endOrphans(context, (title) => title === own);
    await killAll(context, path);
  }
  const kept = keptDirectory(spec.rootfs);
  if (kept !== null) {
    kernel.makeRunDir(kept);
  }
  kernel.setXattr(primaryDirectory(context, path), POLICY_XATTR, policyText(restartPolicy(spec)));
  const description = superviseSpec(context, step.container, null);
  kernel.setXattr(primaryDirectory(context, path), SETTINGS_XATTR, description.process.settings ?? '');
  const { seccomp: code, seccompFlags: flags = 0 } = description.process;
  kernel.setXattr(primaryDirectory(context, path), SECCOMP_XATTR, keptFilter(spec.seccomp, { code, flags }));
  const timeout = START_TIMEOUT + hooksTimeout(spec.hooks, 'pre_start');
  const fields =
    context.foreground === undefined
      ? await launch(context, description, timeout)
      : await startForeground(context, context.foreground, description, supervisorCgroup(context), path);
  const pid = Number(fields.get('pid') ?? 0);
  const links = kernel.readLinks(NAMESPACE_TYPES.map((t) => `/proc/${pid}/ns/${t}`));
  const [mountinfo, stat, limits, status, devices] = kernel.readFiles([
    `/proc/${pid}/mountinfo`,
    `/proc/${pid}/stat`,
    `/proc/${fields.get('supervisor') ?? 0}/limits`,
    `/proc/${pid}/status`,
    `/proc/${pid}/net/dev`,
  ]);
  // A job may be over before it can be looked at; then there is nothing to compare later either.
  const alive = typeof stat === 'string' && isAlive(parseStat(stat), fields.get('start') ?? '');
  const namespaces: Record<string, string> = {};
  NAMESPACE_TYPES.forEach((type, i) => {
    const link = links[i];
    const inode = typeof link === 'string' ? namespaceInode(link) : undefined;
    if (alive && inode !== undefined) {
      namespaces[type] = inode;
    }
  });
  writeLabel(context, path, {
    address: containerAddress(step.container),
    stopped: undefined,
    namespaces,
    joined: Object.fromEntries(
      description.namespaces.join
        .filter((j) => spec.namespaces[j.type].kind === 'pid')
        .map((j) => [j.type, j.startTime]),
    ),
    process: {
      pid,
      startTime: fields.get('start') ?? '',
      ...(alive ? { image: imageOf(stat) } : {}),
      ...(alive && typeof status === 'string' ? filtersOf(status) : {}),
    },
    ...(typeof limits === 'string' ? { inherited: parseLimits(limits) } : {}),
    ...(alive && typeof devices === 'string' && spec.namespaces.net.kind === 'new'
      ? { netdevs: deviceNames(devices) }
      : {}),
    mounts: alive && typeof mountinfo === 'string' ? mountLines(mountinfo) : [],
  });
}

/** Starts what is described, or takes up the checkpoint that this run is to restore. */
async function launch(
  context: ExecutionContext,
  spec: SuperviseSpec,
  timeout: number,
): Promise<ReadonlyMap<string, string>> {
  const { kernel, restore } = context;
  if (restore === undefined || spec.title !== supervisorTitle(context.stackName, leafName(restore.container))) {
    return kernel.runInit(spec, supervisorCgroup(context), timeout);
  }
  try {
    const taken = { ...spec, restore: await restoreSpec(restore, spec.root) };
    return await kernel.runInit(taken, supervisorCgroup(context), RESTORE_TIMEOUT);
  } catch (error) {
    throw restoreFailure(error, restore);
  }
}

/** Puts a supervisor back on a running container, which goes on undisturbed. */
export async function adoptContainer(context: ExecutionContext, step: Of<'adopt'>): Promise<void> {
  const { spec } = specOf(context, step.container);
  const run = readRun(context, leafPath(spec));
  if (run === undefined || run.pid === 0) {
    throw new TsboxError('TSB2004', `container/${step.container} is not running`);
  }
  const adopt = { pid: run.pid, startTime: run.startTime, restarts: run.restarts };
  await context.kernel.runInit(superviseSpec(context, step.container, adopt), supervisorCgroup(context), START_TIMEOUT);
}

/** Time a supervisor gets beyond the grace it gives its container, ms. */
const SUPERVISOR_MARGIN = 5000;

/** Stops a container: through its supervisor if it has one, else by its own signal, grace and kill. */
export function stopContainer(context: ExecutionContext, step: Of<'stop'>): Promise<void> {
  return thawedAbove(context, step.path, () => stopThawed(context, step));
}

async function stopThawed(context: ExecutionContext, step: Of<'stop'>): Promise<void> {
  const { kernel } = context;
  const label = readLabel(context, step.path);
  const run = readRun(context, step.path);
  const graceMs = label?.stop?.graceMs ?? 10_000;
  thaw(context, step.path);
  if (run !== undefined) {
    const supervisor = run.supervisor === 0 ? undefined : kernel.openProcess(run.supervisor, run.supervisorStartTime);
    if (supervisor !== undefined) {
      kernel.signal(supervisor, 15);
      const ended = await kernel.waitProcess(supervisor, graceMs + SUPERVISOR_MARGIN);
      if (!ended) {
        kernel.signal(supervisor, 9);
        await kernel.waitProcess(supervisor, SUPERVISOR_MARGIN);
      }
      kernel.close(supervisor);
    } else if (run.pid !== 0) {
      const process = kernel.openProcess(run.pid, run.startTime);
      if (process !== undefined) {
        kernel.signal(process, label?.stop?.signal ?? 15);
        await kernel.waitProcess(process, graceMs);
        kernel.close(process);
      }
    }
  }
  await killAll(context, step.path);
}

/** A frozen process takes no signal but SIGKILL, so a stop with grace needs it thawed (an ancestor's freeze stays). */
function thaw(context: ExecutionContext, path: string): void {
  const { kernel } = context;
  if (kernel.layout.primary?.version === 2) {
    kernel.tryWrite(`${primaryDirectory(context, path)}/cgroup.freeze`, '0');
  }
  const freezer = allDirectories(context, path).find((d) => d.version === 1 && d.controllers.includes('freezer'));
  if (freezer !== undefined) {
    kernel.tryWrite(`${freezer.dir}/freezer.state`, 'THAWED');
  }
}

/** Writes the policy where the supervisor reads it, and tells it to. */
export function setPolicy(context: ExecutionContext, step: Of<'policy'>): void {
  context.kernel.setXattr(primaryDirectory(context, step.path), POLICY_XATTR, policyText(step.policy));
  tellSupervisor(context, step.path);
}

/** Longest wait for a job that another container depends on, ms. */
const COMPLETION_TIMEOUT = 24 * 3600 * 1000;

/** Waits until a container has ended with exit code 0. */
export async function awaitCompleted(context: ExecutionContext, step: Of<'await-completed'>): Promise<void> {
  const { kernel } = context;
  const { spec } = specOf(context, step.container);
  const deadline = Date.now() + COMPLETION_TIMEOUT;
  for (;;) {
    const run = readRun(context, leafPath(spec));
    if (run === undefined) {
      throw new TsboxError('TSB2004', `container/${step.container} was never started`);
    }
    if (run.state === 'exited' || run.state === 'stopped' || run.state === 'failed') {
      if (run.exit === 0) {
        return;
      }
      const how = run.signal > 0 ? `was killed by signal ${run.signal}` : `ended with exit code ${run.exit}`;
      throw new TsboxError('TSB3002', `container/${step.container} had to complete first, but ${how}`, {
        hint: `tsbox logs container/${step.container} shows what it said`,
      });
    }
    const supervisor = kernel.openProcess(run.supervisor, run.supervisorStartTime);
    if (supervisor === undefined) {
      // Between the state and the supervisor's end there is a moment; a second look settles it.
      const again = readRun(context, leafPath(spec));
      if (again?.state === run.state && again.sinceMs === run.sinceMs) {
        throw new TsboxError(
          'TSB3002',
          `container/${step.container} had to complete first, but it is gone without an exit status`,
        );
      }
      continue;
    }
    await kernel.waitProcess(supervisor, Math.min(60_000, Math.max(1, deadline - Date.now())));
    kernel.close(supervisor);
  }
}
