import type { Command } from '../main.ts';
import { choiceOption } from '../args.ts';
import { EXIT } from '../exit.ts';
import { printError } from '../output.ts';
import { TsboxError } from '../../errors.ts';

export const command: Command = {
  streams: true,
  options: ['var', 'var-file', 'filter', 'verbose', 'json', 'format', 'output'],
  usage:
    'tsbox test [FILE | DIR]… [--filter FILE|NAME]… [--var NAME=VALUE]… [--verbose] [--json] [--format text|json|junit] [-o FILE]',
  help: [
    'Runs the tests of *.test.yaml files: those given, those of the directories given, or those here. A run plans a stack,',
    'against a recorded kernel or in an empty place of its own, or applies it there; assertions say what must be true.',
    'Whatever the runs of a file made is removed after it, also when one failed or was interrupted.',
  ].join('\n'),
  async run(args) {
    const { TEST_FORMATS, tellerFor } = await import('../test/tell.ts');
    const format = args.flags.json === true ? 'json' : choiceOption(args, 'format', TEST_FORMATS, 'text');
    if (args.values.output !== undefined && format !== 'junit') {
      throw new TsboxError('TSB2001', '-o goes with --format junit');
    }
    const { findTestFiles, loadTestFiles } = await import('../test/find.ts');
    const { removeScratch, scratch, whereabouts } = await import('../test/scratch.ts');
    const { runFile } = await import('../test/run.ts');
    const { watchInterrupts } = await import('../test/interrupt.ts');
    const { countsOf, fileResult } = await import('../../report/test/model.ts');
    const filter = args.lists.filter ?? [];
    const files = loadTestFiles(findTestFiles(args.positionals));
    const teller = await tellerFor(format, args);
    const places = files.map((file) => ({ file, place: scratch() }));
    const interrupt = watchInterrupts(() => whereabouts(places.map((p) => p.place)));
    const results = [];
    teller.begin(files);
    try {
      for (const { file, place } of places) {
        let runs;
        try {
          runs = await runFile(file, place, {
            args,
            format,
            interrupt,
            wanted: (of, run) => filter.length === 0 || filter.some((f) => isMeant(f, of.name, run.name)),
          });
        } catch (error) {
          for (const problem of await removeScratch(place)) {
            await printError(problem);
          }
          throw error;
        }
        const left = await removeScratch(place);
        const whole = fileResult(file.name, runs, left);
        results.push(whole);
        await teller.file(whole);
      }
    } finally {
      interrupt.stop();
    }
    teller.end(results);
    const { status } = countsOf(results);
    return interrupt.received ? EXIT.interrupted : status === 'fail' || status === 'error' ? EXIT.error : EXIT.ok;
  },
};

/** A run by its name, all of a file by its path or the last part of it. */
function isMeant(filter: string, file: string, run: string): boolean {
  return filter === run || filter === file || file.endsWith(`/${filter}`);
}
