import type { Command } from '../main.ts';
import { EXIT } from '../exit.ts';
import { TsboxError } from '../../errors.ts';
import { masked, out } from '../output.ts';
import { stackNameFor, requirePrivileges } from '../session.ts';
import { VERSION } from '../version.ts';
import type { Observed } from '../../resources/kind.ts';
import type { StackScope } from '../../resources/scope.ts';
import type { NamespaceType } from '../../kernel/init-spec.ts';
import type { Runs } from '../show-runs.ts';
import type { Sharers, Sharing } from '../sharing.ts';
import type { EffectiveLimit } from '../../resources/cgroup/effective.ts';

export const command: Command = {
  options: ['file', 'stack', 'var', 'json', 'devices', 'compact', 'diff-context', 'steps'],
  words: 1,
  usage:
    'tsbox show [ADDRESS] [-f FILE | --stack NAME] [--json]\ntsbox show PLANFILE [--compact] [--diff-context N] [--steps] [--json]\ntsbox show --devices PID|PATH|ADDRESS [--json]',
  help: [
    'Shows a resource (or all of the stack) as the kernel has it now, and which cgroup sets each limit in effect.',
    "--json without an ADDRESS is one document in the shape of Terraform's state (docs/json.md).",
    'A PLANFILE of plan -o is shown as the plan was, with --json as the document of plan --format json.',
    '--devices explains what the processes of any cgroup may do with devices, whoever set it up: every device program',
    'at every level above it as rules, the v1 devices controller, and what all of them together allow.',
  ].join('\n'),
  async run(args) {
    if (args.flags.devices === true) {
      const { showDevices } = await import('../show-devices.ts');
      return showDevices(args);
    }
    const [first] = args.positionals;
    if (first !== undefined) {
      const { isPlanFile, showPlanFile } = await import('../plan-file/show.ts');
      if (isPlanFile(first)) {
        return showPlanFile(first, args);
      }
    }
    const { name, stack } = await stackNameFor(args);
    const { openReader } = await import('../../kernel/reader.ts');
    const { makePlan } = await import('../../planner/index.ts');
    const { showValue, humanValue, escapeControls } = await import('../../report/values.ts');
    const { kindOf } = await import('../../resources/registry.ts');
    const { fieldsOf, managersOf, readClaims } = await import('../../resources/claims.ts');
    const { readRuns, runLines, runsJson } = await import('../show-runs.ts');
    const { imageJson, imageLines } = await import('../show-image.ts');
    const { effectiveLimits } = await import('../../resources/cgroup/effective.ts');
    const reader = openReader(process.env);
    requirePrivileges(reader, 'show');
    const planned = await makePlan(reader, name, stack, { targets: [], destroy: stack === undefined });
    const wanted = args.positionals[0];
    const found = [...planned.observed.values()].filter(
      (o) => wanted === undefined || o.address === wanted || o.address.endsWith(`/${wanted}`),
    );
    if (found.length === 0 && wanted !== undefined) {
      throw new TsboxError('TSB2003', `no resource '${wanted}' in stack ${name}`, {
        hint: `there are: ${[...planned.observed.keys()].slice(0, 8).join(', ')}`,
      });
    }
    const ownerOf = (o: Observed): string | undefined => installationIn(planned.scope, o);
    const { Sharers, sharingLines } = await import('../sharing.ts');
    const sharers = new Sharers(reader);
    const sharing = (o: Observed): Sharing[] => sharingOf(o, name, sharers);
    const { cgroupRoot: root } = reader.settings;
    const runsOf = (o: Observed): Runs => readRuns(reader, [cgroupOf(o, root, name) ?? ''])[0] as Runs;
    const limits = (o: Observed): EffectiveLimit[] => {
      const path = o.exists ? cgroupOf(o, root, name) : undefined;
      return path === undefined ? [] : effectiveLimits(reader, path).filter((l) => l.setBy !== undefined);
    };
    const addresses = found.map((o) => o.address);
    const { claims } = readClaims(reader, planned.scope, addresses);
    if (args.flags.json === true) {
      const shared = new Map(found.map((o) => [o, sharing(o)]));
      const json = found.map((o) => ({
        address: o.address,
        exists: o.exists,
        live: o.live,
        last_applied: o.applied,
        effective: limits(o).map((l) => ({ name: l.name, value: l.value, set_by: l.setBy })),
        facts: o.facts,
        ...(claims.has(o.address) ? { managers: claims.get(o.address) } : {}),
        ...(ownerOf(o) === undefined ? {} : { installation: ownerOf(o) }),
        ...(shared.get(o)?.length === 0 ? {} : { namespaces: shared.get(o) }),
        ...(o.exists && o.address.startsWith('container/')
          ? { runs: runsJson(runsOf(o)), ...imageJson(reader, o) }
          : {}),
        unmanaged: o.extras.map((e) => e.text),
        unreadable: o.unreadable,
      }));
      if (wanted !== undefined) {
        out(`${JSON.stringify(json[0], null, 2)}\n`);
        return EXIT.ok;
      }
      const { stateDocument } = await import('../../report/terraform/state.ts');
      const { outputStates } = await import('../output-values.ts');
      const document = stateDocument({
        stack: name,
        observed: found,
        outputs: outputStates(stack, planned, false),
        version: VERSION,
        bootId: reader.bootId,
        installation: reader.installation,
        details: json,
        mask: masked,
        origins: stack?.origins,
        checks: (planned.plan.checks ?? []).filter((c) => c.kind === 'check'),
      });
      out(`${JSON.stringify(document, null, 2)}\n`);
      return EXIT.ok;
    }
    for (const o of found) {
      out(`${o.address}${o.exists ? '' : '   # does not exist'}\n`);
      for (const [key, value] of Object.entries(o.facts)) {
        out(`  # ${key} ${escapeControls(value)}\n`);
      }
      if (ownerOf(o) !== undefined) {
        out(`  # made by installation ${escapeControls(ownerOf(o) ?? '')}\n`);
      }
      const table = kindOf(o.address).attributes;
      for (const attribute of table.values()) {
        const value = o.live[attribute.name];
        if (value === undefined || !o.exists) {
          continue;
        }
        const human = humanValue(value, attribute.unit);
        const recorded = attribute.observed === 'recorded' ? 'as applied; the kernel does not show it' : undefined;
        const own = claims.get(o.address) ?? {};
        const manager = managersOf(own, fieldsOf(own, table, attribute.name));
        const owned = manager === undefined ? undefined : `owned by ${manager}`;
        const notes = [human, recorded, owned].filter((n) => n !== undefined);
        out(
          `  ${attribute.name.padEnd(18)}  ${showValue(value, attribute.list)}${notes.length === 0 ? '' : `   # ${notes.join('; ')}`}\n`,
        );
      }
      const own = cgroupOf(o, root, name);
      const effective = limits(o);
      if (effective.length > 0) {
        out('  effective, with what is above:\n');
      }
      for (const limit of effective) {
        const human = humanValue(limit.value, limit.unit);
        const by = limit.setBy === own ? 'set here' : `set by ${addressOf(limit.setBy ?? '', root, name)}`;
        out(
          `    ${limit.name.padEnd(16)}  ${escapeControls(limit.value)}   # ${[human, by].filter((n) => n !== undefined).join('; ')}\n`,
        );
      }
      const namespaces = sharingLines(sharing(o), sharers);
      if (namespaces.length > 0) {
        out('  namespaces, and who else is in them:\n');
        namespaces.forEach((line) => out(`${line}\n`));
      }
      if (o.exists && o.address.startsWith('container/')) {
        imageLines(reader, o).forEach((line) => out(`${line}\n`));
        runLines(runsOf(o)).forEach((line) => out(`${line}\n`));
      }
      for (const extra of o.extras) {
        out(`  ! ${escapeControls(extra.text)}   # not made by tsbox\n`);
      }
    }
    return EXIT.ok;
  },
};

/** The installation that the label names; labels of volumes name none. */
function installationIn(scope: StackScope, { address }: Observed): string | undefined {
  const own = scope.namespaces.get(address.replace(/^namespace\//, ''));
  return (address.startsWith('namespace/') ? own : scope.byAddress.get(address)?.label)?.installation;
}

/** The namespaces of a running container, or the declared one itself. */
function sharingOf(o: Observed, stack: string, sharers: Sharers): Sharing[] {
  const { pid, inode, path } = o.facts;
  if (o.address.startsWith('container/')) {
    return pid === undefined ? [] : sharers.ofProcess(Number(pid), `${stack}:${o.address.slice('container/'.length)}`);
  }
  const [, type, number] = /^([a-z]+):\[(\d+)\]$/.exec(o.address.startsWith('namespace/') ? (inode ?? '') : '') ?? [];
  return number === undefined ? [] : [sharers.ofFile(path ?? '', type as NamespaceType, number)];
}

/** Path of a resource's cgroup from the root of the hierarchies; undefined for what has none. */
function cgroupOf(o: Observed, root: string, stack: string): string | undefined {
  const below = o.address.startsWith('namespace/') ? undefined : (o.facts['path'] ?? o.facts['leaf']);
  return below === undefined ? undefined : below.startsWith('/') ? below : `${root}/${stack}/${below}`;
}

/** A path within the stack as its address, any other as it is. */
function addressOf(path: string, root: string, stack: string): string {
  const own = `${root}/${stack}/`;
  return path.startsWith(own) ? `cgroup/${path.slice(own.length)}` : path;
}
