import type { Command } from '../main.ts';
import { choiceOption, numberOption, type Arguments } from '../args.ts';
import { EXIT } from '../exit.ts';
import { TsboxError } from '../../errors.ts';
import type { KernelReader } from '../../kernel/reader.ts';
import type { DriftReport } from '../../report/drift/model.ts';
import type { Subject } from '../drift/report.ts';
import { paletteFor, withoutSecrets } from '../output.ts';
import { outOrFile } from '../write-file.ts';
import { loadStackFor, printWarnings, requirePrivileges } from '../session.ts';
import { VERSION } from '../version.ts';

const FORMATS = ['text', 'json', 'markdown', 'html', 'junit', 'sarif', 'prometheus'] as const;
type Format = (typeof FORMATS)[number];

export const command: Command = {
  options: [
    'file',
    'var',
    'var-file',
    'target',
    'stack',
    'all',
    'json',
    'format',
    'output',
    'record',
    'heal',
    'heal-only',
    'auto-approve',
    'parallelism',
    'lock-timeout',
  ],
  words: 0,
  usage:
    'tsbox drift [-f FILE]… [--target ADDRESS]… | --stack NAME… | --all [-f FILE]…  [--format FORMAT] [-o FILE] [--record] [--heal[=SEVERITY,…]]',
  help: [
    'Shows what changed behind our back since the last apply: how bad it is, since when, by whom, and what heals it.',
    'Changes of the stack file are not drift; see plan. Writes nothing, unless --record or --heal asks for it.',
  ].join('\n'),
  async run(args) {
    const began = Date.now();
    const format = args.flags.json === true ? 'json' : choiceOption(args, 'format', FORMATS, 'text');
    const { severitiesToHeal } = await import('../drift/heal.ts');
    const healing = severitiesToHeal(args);
    if (healing !== undefined && format !== 'text' && args.values.output === undefined) {
      throw new TsboxError('TSB2001', `--heal tells what it does on stdout, where the ${format} would be`, {
        hint: 'give -o FILE',
      });
    }
    const { openReader } = await import('../../kernel/reader.ts');
    const { reportOf } = await import('../drift/report.ts');
    const reader = openReader(process.env);
    const subjects = await subjectsOf(args, reader);
    requirePrivileges(reader, 'drift');
    const reports: DriftReport[] = [];
    for (const subject of subjects) {
      const report = withoutSecrets(await reportOf(reader, subject, began));
      printWarnings(report.warnings, args);
      reports.push(report);
    }
    if (args.flags.record === true) {
      await record(reader, reports);
    }
    const text = await render(format, reports, args, reader);
    outOrFile(args, text);
    const left = reports.flatMap((r) => r.items);
    const chosen = left.filter((i) => i.heal.action !== 'by-hand' && healing?.includes(i.severity) === true);
    if (healing === undefined || chosen.length === 0) {
      return left.length > 0 ? EXIT.differences : EXIT.ok;
    }
    const code = await heal(args, subjects, chosen);
    return code === EXIT.ok && chosen.length < left.length ? EXIT.differences : code;
  },
};

async function subjectsOf(args: Arguments, reader: KernelReader): Promise<Subject[]> {
  const { targets } = args;
  const names = args.lists.stack ?? [];
  const all = args.flags.all === true;
  if (!all && names.length === 0) {
    return [{ stack: await loadStackFor(args), files: args.files, targets }];
  }
  const given = args.lists.file ?? [];
  if ((!all && given.length > 0) || targets.length > 0 || (all && names.length > 0)) {
    throw new TsboxError('TSB2001', 'one of -f, --stack and --all says which stacks, and --target goes with -f alone', {
      hint: 'with --all each -f is a stack of its own',
    });
  }
  const declared: Subject[] = [];
  const known = new Set<string>();
  for (const file of given) {
    const stack = await loadStackFor({ ...args, files: [file] });
    if (known.has(stack.name)) {
      throw new TsboxError('TSB2001', `stack ${stack.name} is given twice`);
    }
    known.add(stack.name);
    declared.push({ stack, files: [file], targets });
  }
  const { stackNames } = await import('../containers.ts');
  const here = all ? stackNames(reader).filter((n) => !n.startsWith('_')) : names;
  const recorded = [...new Set(here)].filter((n) => !known.has(n)).sort();
  return [...declared, ...recorded.map((name) => ({ name }))];
}

async function record(reader: KernelReader, reports: readonly DriftReport[]): Promise<void> {
  const { appendRunLine } = await import('../../kernel/drift-history.ts');
  const { loadNative } = await import('../../kernel/native.ts');
  const { runLine } = await import('../../report/drift/history.ts');
  for (const report of reports) {
    await appendRunLine(loadNative(), reader.settings.stateDir, report.stack, runLine(report, reader.bootId));
  }
}

async function render(
  format: Format,
  reports: readonly DriftReport[],
  args: Arguments,
  reader: KernelReader,
): Promise<string> {
  switch (format) {
    case 'text': {
      const { driftText } = await import('../../report/drift/text.ts');
      const { PLAIN } = await import('../../report/palette.ts');
      return driftText(reports, args.values.output === undefined ? await paletteFor(args) : PLAIN);
    }
    case 'json':
      return (await import('../../report/drift/json.ts')).driftJson(reports, VERSION, reader);
    case 'markdown':
      return (await import('../../report/drift/markdown.ts')).driftMarkdown(reports);
    case 'html':
      return (await import('../../report/drift/html.ts')).driftHtml(reports, VERSION);
    case 'junit':
      return (await import('../../report/drift/junit.ts')).driftJunit(reports);
    case 'sarif':
      return (await import('../../report/drift/sarif.ts')).driftSarif(reports, VERSION, process.cwd());
    case 'prometheus':
      return (await import('../../report/drift/prometheus.ts')).driftPrometheus(reports);
  }
}

/** Ends the chosen drift, stack by stack, each as an apply of nothing else. */
async function heal(
  args: Arguments,
  subjects: readonly Subject[],
  chosen: ReadonlyArray<DriftReport['items'][number]>,
): Promise<number> {
  const { runApply } = await import('../run-apply.ts');
  const { choiceOf } = await import('../drift/heal.ts');
  const { err } = await import('../output.ts');
  let worst: number = EXIT.ok;
  for (const subject of subjects) {
    const name = 'stack' in subject ? subject.stack.name : subject.name;
    const own = chosen.filter((i) => i.stack === name);
    if (own.length === 0) {
      continue;
    }
    if (!('stack' in subject)) {
      err(`stack ${name}: healing takes its file: tsbox drift -f FILE --heal\n`);
      worst = Math.max(worst, EXIT.differences);
      continue;
    }
    const parallelism = numberOption(args, 'parallelism', 8, 1, 256);
    const code = await runApply({ ...args, files: subject.files, targets: subject.targets }, name, subject.stack, {
      destroy: false,
      parallelism,
      heal: choiceOf(own),
    });
    worst = Math.max(worst, code);
  }
  return worst;
}
