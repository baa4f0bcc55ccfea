import type { Command } from '../main.ts';
import { TsboxError } from '../../errors.ts';
import { out } from '../output.ts';
import { withTargets } from '../target.ts';

const USAGE = 'tsbox own ADDRESS [ATTRIBUTE…] [--as MANAGER | --release] [--stack NAME] [--lock-timeout SECONDS]';

export const command: Command = {
  options: ['stack', 'as', 'release', 'lock-timeout'],
  usage: USAGE,
  help: [
    'Claims attributes of a live cgroup or container for another program that sets them, an autoscaler for one: those',
    'of a stack with `ignore_changes: [{ manager: NAME }]` are left alone, any other apply takes them back and says so.',
    'An attribute is written as plans show it (memory.max), or one entry of it (io.max.8:0). Without ATTRIBUTE it lists',
    'what is claimed; --release gives up the named ones, or all. A claim is on the object and goes with it.',
  ].join('\n'),
  async run(args) {
    const [wanted, ...fields] = args.positionals;
    const manager = args.values.as;
    const release = args.flags.release === true;
    if (manager !== undefined && release) {
      throw new TsboxError('TSB2001', '--as claims and --release gives up, whoever claimed it', { hint: 'give one' });
    }
    if (wanted === undefined || (manager !== undefined && fields.length === 0)) {
      throw new TsboxError('TSB2001', 'an address is expected, and with --as an attribute', { hint: USAGE });
    }
    if (fields.length > 0 && manager === undefined && !release) {
      throw new TsboxError('TSB2001', 'who claims it is expected: --as MANAGER, or --release', { hint: USAGE });
    }
    const { isManager } = await import('../../resources/claims.ts');
    if (manager !== undefined && !isManager(manager)) {
      throw new TsboxError('TSB2001', `--as takes a name of letters, digits and _.@:/-, not '${manager}'`);
    }
    return withTargets(args, 'own', [wanted], async (context, target) => {
      const { claimsOn, writeClaims } = await import('../../executor/steps/claims.ts');
      const { path } = target.entry;
      const before = claimsOn(context, path);
      if (manager !== undefined) {
        await requireClaimable(target.address, fields, before, manager);
        writeClaims(context, path, { ...before, ...Object.fromEntries(fields.map((f) => [f, manager])) });
      } else if (release) {
        await requireKnown(target.address, fields, before);
        const kept = Object.entries(before).filter(([field]) => fields.length > 0 && !fields.includes(field));
        writeClaims(context, path, Object.fromEntries(kept));
      }
      if (args.flags.quiet !== true) {
        const lines = Object.entries(claimsOn(context, path)).sort(([a], [b]) => (a < b ? -1 : 1));
        lines.forEach(([field, by]) => out(`${target.address}  ${field.padEnd(18)}  ${by}\n`));
      }
    });
  },
};

/** A name that is not claimed is given up already; one that nobody can claim is a mistake. */
async function requireKnown(
  address: string,
  fields: readonly string[],
  before: Readonly<Record<string, string>>,
): Promise<void> {
  const { claimedAttribute } = await import('../../resources/claims.ts');
  const { kindOf } = await import('../../resources/registry.ts');
  const table = kindOf(address).attributes;
  for (const field of fields) {
    if (before[field] === undefined && claimedAttribute(table, field) === undefined) {
      await refuseName(address, field);
    }
  }
}

async function refuseName(address: string, field: string): Promise<never> {
  const { kindOf } = await import('../../resources/registry.ts');
  const { meant } = await import('../../resources/values.ts');
  const names = kindOf(address).attributes.keys();
  const hint = meant(field, names) ?? 'what the kernel shows and an apply can change: plans have the names';
  throw new TsboxError('TSB2001', `'${field}' is no attribute of ${address} that can be claimed`, { hint });
}

async function requireClaimable(
  address: string,
  fields: readonly string[],
  before: Readonly<Record<string, string>>,
  manager: string,
): Promise<void> {
  const { claimedAttribute, fieldsOf } = await import('../../resources/claims.ts');
  const { kindOf } = await import('../../resources/registry.ts');
  const table = kindOf(address).attributes;
  for (const field of fields) {
    const attribute = claimedAttribute(table, field);
    if (attribute === undefined) {
      return refuseName(address, field);
    }
    // A whole attribute and an entry of its map are not two owners' either.
    const other = fieldsOf(before, table, attribute).find(
      (f) => before[f] !== manager && (f === field || f === attribute || field === attribute),
    );
    if (other !== undefined) {
      throw new TsboxError('TSB3007', `${other} is claimed by ${before[other] ?? ''} already`, {
        address,
        hint: `tsbox own ${address} ${other} --release takes it from there`,
      });
    }
  }
}
