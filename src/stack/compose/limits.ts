/** Limits of a service: the keys of Compose's first versions, and deploy. */
import { parseBytes } from '../../resources/units.ts';
import { isMap, list, type Data, type Part } from './part.ts';
import type { Texts } from './text.ts';

const NO_COUNTERPART = 'has no counterpart in the stack language';

/** Puts a value at a path of maps. */
function put(out: Data, path: string, value: unknown): void {
  const keys = path.split('.');
  let owner = out;
  for (const key of keys.slice(0, -1)) {
    owner = (owner[key] ??= {}) as Data;
  }
  owner[keys.at(-1) ?? ''] = value;
}

/** cpu.shares of v1 (2 to 262144) as a weight of v2 (1 to 10000), as runtimes have it. */
export function weightOfShares(shares: number): number {
  return Math.max(1, Math.min(10_000, 1 + Math.floor(((shares - 2) * 9999) / 262_142)));
}

/** A weight of blkio (10 to 1000) as one of io.weight. */
function ioWeight(weight: number): number {
  return Math.max(1, Math.min(10_000, 1 + Math.floor(((weight - 10) * 9999) / 990)));
}

export function convertLimits(service: Part, out: Data, texts: Texts): void {
  const number = (part: Part, key: string): number | undefined => {
    const value = part.take(key);
    if (value === undefined) {
      return undefined;
    }
    const result = Number(texts.fixed(value, part, key));
    if (Number.isFinite(result)) {
      return result;
    }
    part.note(key, 'is no number: left out');
    return undefined;
  };
  const size = (part: Part, key: string): string | number | undefined => {
    const value = part.take(key);
    if (value === undefined) {
      return undefined;
    }
    const text = texts.fixed(value, part, key);
    try {
      parseBytes(/^\d+$/.test(text) ? Number(text) : text);
      return /^\d+$/.test(text) ? Number(text) : text;
    } catch {
      if (text !== '-1' && text !== '') {
        part.note(key, `'${text}' is no size: left out`);
      }
      return undefined;
    }
  };
  const set = (path: string, value: unknown): void => {
    if (value !== undefined) {
      put(out, path, value);
    }
  };
  const pids = (part: Part, key: string): void => {
    const most = number(part, key);
    set('pids.max', most === undefined ? undefined : most <= 0 ? 'max' : most);
  };

  const shares = number(service, 'cpu_shares');
  set('cpu.weight', shares === undefined || shares === 0 ? undefined : weightOfShares(shares));
  const quota = number(service, 'cpu_quota');
  const period = number(service, 'cpu_period');
  if (quota !== undefined && quota > 0) {
    set('cpu.max', `${quota}us/${period ?? 100_000}us`);
  }
  const cpus = number(service, 'cpus');
  set('cpu.max', cpus === undefined || cpus === 0 ? undefined : cpus);
  const cpuset = service.take('cpuset');
  set('cpuset.cpus', cpuset === undefined ? undefined : texts.fixed(cpuset, service, 'cpuset'));
  const most = size(service, 'mem_limit');
  set('memory.max', most);
  set('memory.low', size(service, 'mem_reservation'));
  const withSwap = service.data['memswap_limit'];
  const both = size(service, 'memswap_limit');
  if (Number(withSwap) === -1) {
    set('memory.swap.max', 'max');
  } else if (both !== undefined && most !== undefined) {
    set('memory.swap.max', Math.max(0, parseBytes(both) - parseBytes(most)));
  } else if (both !== undefined) {
    service.note('memswap_limit', 'says nothing without mem_limit');
  }
  pids(service, 'pids_limit');
  const score = number(service, 'oom_score_adj');
  set('oom_score_adj', score);
  service.drop(['mem_swappiness', 'oom_kill_disable'], 'is of cgroups v1 only');
  service.drop(['cpu_rt_runtime', 'cpu_rt_period', 'cpu_count', 'cpu_percent'], NO_COUNTERPART);
  convertBlockIo(service.part('blkio_config'), out);

  const deploy = service.part('deploy');
  if (deploy === undefined) {
    return;
  }
  const resources = deploy.part('resources');
  const limits = resources?.part('limits');
  if (limits !== undefined) {
    set('cpu.max', number(limits, 'cpus'));
    set('memory.max', size(limits, 'memory'));
    pids(limits, 'pids');
    limits.finish();
  }
  const reservations = resources?.part('reservations');
  if (reservations !== undefined) {
    set('memory.low', size(reservations, 'memory'));
    reservations.drop(['cpus'], 'is a wish of a scheduler: there is none; cpu.weight shares processors');
    reservations.drop(['devices', 'generic_resources'], 'asks a scheduler for devices: allow them by path');
    reservations.finish();
  }
  resources?.finish();
  convertUpdate(deploy, out, texts);
  const replicas = number(deploy, 'replicas');
  if (replicas !== undefined && replicas !== 1) {
    out['replicas'] = replicas;
  }
  const mode = deploy.take('mode');
  if (mode !== undefined && mode !== 'replicated') {
    deploy.note('mode', `'${String(mode)}' is of a cluster: one is run here`);
  }
  deploy.drop(['placement', 'endpoint_mode', 'rollback_config'], 'is of a cluster');
  deploy.drop(['labels'], 'a stack has no labels');
  deploy.finish();
}

function convertUpdate(deploy: Part, out: Data, texts: Texts): void {
  const restart = deploy.part('restart_policy');
  if (restart !== undefined) {
    const condition = String(restart.take('condition') ?? 'any');
    const delay = restart.take('delay');
    const most = restart.take('max_attempts');
    const policy = condition === 'none' ? 'no' : condition === 'on-failure' ? 'on-failure' : 'always';
    const bounded = most === undefined ? undefined : Number(texts.fixed(most, restart, 'max_attempts'));
    out['restart'] =
      delay === undefined && most === undefined
        ? policy
        : {
            policy,
            ...(bounded === undefined ? {} : { max: bounded }),
            ...(delay === undefined ? {} : { backoff: texts.fixed(delay, restart, 'delay') }),
          };
    restart.drop(['window'], 'a restart that lasts counts as one by a rule of its own');
    restart.finish();
  }
  const update = deploy.part('update_config');
  if (update === undefined) {
    return;
  }
  const result: Data = {};
  const parallelism = update.take('parallelism');
  if (typeof parallelism === 'number') {
    result['max_unavailable'] = parallelism === 0 ? '100%' : parallelism;
  }
  for (const [key, to] of [
    ['delay', 'delay'],
    ['monitor', 'settle'],
  ] as const) {
    const value = update.take(key);
    if (value !== undefined) {
      result[to] = texts.fixed(value, update, key);
    }
  }
  const first = update.take('order') === 'start-first';
  if (first) {
    result['order'] = 'start-first';
  }
  const action = update.take('failure_action');
  if (action === 'continue' || (action === 'rollback' && first)) {
    result['on_failure'] = action;
  } else if (action === 'rollback') {
    update.note('failure_action', "'rollback' needs order: start-first, or there is nothing to go back to: it pauses");
  }
  update.drop(['max_failure_ratio'], NO_COUNTERPART);
  update.finish();
  if (Object.keys(result).length > 0) {
    out['update'] = result;
  }
}

const RATES: Readonly<Record<string, string>> = {
  device_read_bps: 'rbps',
  device_write_bps: 'wbps',
  device_read_iops: 'riops',
  device_write_iops: 'wiops',
};

function convertBlockIo(part: Part | undefined, out: Data): void {
  if (part === undefined) {
    return;
  }
  const weight = part.take('weight');
  if (typeof weight === 'number' && weight > 0) {
    put(out, 'io.weight', ioWeight(weight));
  }
  const each = (key: string, use: (item: Data, io: Data) => void): void => {
    for (const item of list(part.take(key)).filter(isMap)) {
      const io = (out['io'] ??= {}) as Data;
      use(item, (io[String(item['path'])] ??= {}) as Data);
    }
  };
  each('weight_device', (item, device) => (device['weight'] = ioWeight(Number(item['weight']))));
  for (const [key, to] of Object.entries(RATES)) {
    each(key, (item, device) => (device[to] = item['rate']));
  }
  part.finish();
}
