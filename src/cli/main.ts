/** The entry: picks a command, loads only what it needs, and turns its outcome into an exit code. */
import type { Arguments } from './args.ts';
import { COMMANDS, type Command } from './command-table.ts';
import { EXIT } from './exit.ts';
import { TsboxError } from '../errors.ts';

export type { Command } from './command-table.ts';

/** Exit codes of errors that have one of their own. */
const EXITS: Readonly<Record<string, number>> = {
  TSB3004: EXIT.locked,
  TSB3006: EXIT.stale,
  TSB3012: EXIT.refused,
  TSB3013: EXIT.stale,
};

async function main(argv: readonly string[]): Promise<number> {
  const [given = 'help', ...rest] = argv;
  const { out, err, printError } = await import('./output.ts');
  if (given === '__complete') {
    out(await completed(rest));
    return EXIT.ok;
  }
  const wantsHelp = ['help', '--help', '-h'].includes(given);
  const name = wantsHelp ? rest[0] : given === '--version' ? 'version' : given;
  if (name === undefined) {
    const { overview } = await import('./help.ts');
    out(overview());
    return EXIT.ok;
  }
  const row = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (row === undefined) {
    const { overview } = await import('./help.ts');
    err(`error[TSB2001]: no such command: ${JSON.stringify(name)}\n\n${overview()}`);
    return EXIT.error;
  }
  try {
    const { parseArguments } = await import('./args.ts');
    const { command } = await row.load();
    const args = parseArguments(wantsHelp ? ['--help'] : rest, command.options);
    if (args.flags.help === true) {
      const { commandHelp } = await import('./help.ts');
      out(commandHelp(name, command));
      return EXIT.ok;
    }
    refuseOdd(name, command, args.positionals);
    if (command.streams === true) {
      const { wantsStream } = await import('./stream.ts');
      return await (wantsStream(args) ? streamed(command, args) : command.run(args));
    }
    return await command.run(args);
  } catch (error) {
    await printError(error);
    return EXITS[(error as { code?: string }).code ?? ''] ?? EXIT.error;
  }
}

/** A word that belongs to no option may be a file or an address that would silently not be looked at. Throws TSB2001. */
function refuseOdd(name: string, command: Command, words: readonly string[]): void {
  const odd = words[command.words ?? Infinity];
  if (odd !== undefined) {
    const file = /\.ya?ml$/.test(odd) && command.options.includes('file');
    throw new TsboxError('TSB2001', `${name} has no use for '${odd}'`, {
      hint: file ? `-f says which stack file: tsbox ${name} -f ${odd}` : command.usage,
    });
  }
}

/** What completes a command line, for the scripts of the shells; whatever goes wrong offers nothing. */
async function completed(words: readonly string[]): Promise<string> {
  const { complete, completionText } = await import('./completion/complete.ts');
  try {
    return completionText(await complete(words));
  } catch {
    return '';
  }
}

/** Runs a command whose errors are told in the stream too. */
async function streamed(command: Command, args: Arguments): Promise<number> {
  const { emit, openStream } = await import('./stream.ts');
  openStream(args);
  try {
    return await command.run(args);
  } catch (error) {
    const { diagnosticLines } = await import('./diagnostic-lines.ts');
    emit(diagnosticLines(error));
    throw error;
  }
}

// A closed pipe (tsbox ps | head) is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.error);
});

void main(process.argv.slice(2)).then((code) => {
  const told = process.stdout.writableLength === 0 && process.stderr.writableLength === 0;
  // What was given up may still be waiting for something. Else an exit spares taking down V8's heap object by object.
  if (code === EXIT.interrupted || told) {
    process.exit(code);
  }
  process.exitCode = code;
});
