/** Telling what became of tests: as text while they run, as events, or as JUnit's XML in the end. */
import { testJunit } from '../../report/test/junit.ts';
import { abstractJson, cleanupJson, conclusionJson, fileJson, planJson, runJson } from '../../report/test/json.ts';
import { conclusion, countsOf, type FileResult, type Status } from '../../report/test/model.ts';
import type { Palette } from '../../report/palette.ts';
import type { TsboxError } from '../../errors.ts';
import { versionJson } from '../../report/plan-json.ts';
import { escapeControls } from '../../report/values.ts';
import type { TestFile } from '../../stack/tests/load.ts';
import type { Arguments } from '../args.ts';
import { diagnosticLine, streamBegun } from '../diagnostic-lines.ts';
import { masked, out, paletteFor, printError } from '../output.ts';
import { VERSION } from '../version.ts';
import { outOrFile } from '../write-file.ts';

export const TEST_FORMATS = ['text', 'json', 'junit'] as const;
export type TestFormat = (typeof TEST_FORMATS)[number];

export interface Teller {
  begin(files: readonly TestFile[]): void;
  file(result: FileResult): Promise<void>;
  end(results: readonly FileResult[]): void;
}

export async function tellerFor(format: TestFormat, args: Arguments): Promise<Teller> {
  switch (format) {
    case 'text':
      return textTeller(await paletteFor(args));
    case 'json':
      return JSON_TELLER;
    case 'junit':
      return {
        begin: () => undefined,
        file: () => Promise.resolve(),
        end: (results) => outOrFile(args, testJunit(results, masked)),
      };
  }
}

function textTeller(palette: Palette): Teller {
  const painted = (status: Status): string =>
    ({ pass: palette.add, fail: palette.remove, error: palette.remove, skip: palette.dim })[status](status);
  return {
    begin: () => undefined,
    async file({ name, status, runs, left }) {
      out(`${escapeControls(name)}... ${painted(status)}\n`);
      for (const run of runs) {
        out(`  run ${escapeControls(JSON.stringify(run.name))}... ${painted(run.status)}\n`);
        if (typeof run.plan === 'string') {
          out(`\n${run.plan.replace(/^(?=.)/gm, '    ')}\n`);
        }
        await printAll(run.problems);
      }
      await printAll(left);
    },
    end: (results) => out(`\n${conclusion(countsOf(results))}\n`),
  };
}

async function printAll(errors: readonly TsboxError[]): Promise<void> {
  for (const error of errors) {
    await printError(error);
  }
}

const JSON_TELLER: Teller = {
  begin(files) {
    out(`${versionJson(VERSION)}\n${abstractJson(files)}\n`);
    streamBegun();
  },
  file(result) {
    out(`${fileJson(result)}\n`);
    for (const run of result.runs) {
      out(`${runJson(result.name, run)}\n`);
      if (typeof run.plan === 'object') {
        out(`${planJson(result.name, run.name, run.plan)}\n`);
      }
      run.problems.forEach((error) => out(`${diagnosticOf(error, result.name, run.name)}\n`));
    }
    if (result.left.length > 0) {
      out(`${cleanupJson(result)}\n`);
      result.left.forEach((error) => out(`${diagnosticOf(error, result.name)}\n`));
    }
    return Promise.resolve();
  },
  end: (results) => out(`${conclusionJson(results)}\n`),
};

/** A diagnostic that says of which file and run it is. */
function diagnosticOf(error: TsboxError, file: string, run?: string): string {
  const event = JSON.parse(masked(diagnosticLine(error))) as Record<string, unknown>;
  return JSON.stringify({ ...event, '@testfile': file, ...(run === undefined ? {} : { '@testrun': run }) });
}
