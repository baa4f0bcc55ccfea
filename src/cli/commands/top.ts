import type { Command } from '../main.ts';
import { secondsOption } from '../args.ts';
import { TsboxError } from '../../errors.ts';
import { EXIT } from '../exit.ts';
import { requirePrivileges } from '../session.ts';
import type { StatsRow } from '../../report/stats-text.ts';
import type { Sort, TopState } from '../../report/top-text.ts';

/** The alternate screen without a cursor, and back (xterm's control sequences). */
const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const TO_LINE_END = '\x1b[K';
const TO_SCREEN_END = '\x1b[J';
const INVERSE = '\x1b[7m';
const PLAIN = '\x1b[0m';

export const command: Command = {
  options: ['stack', 'interval', 'sort'],
  words: 0,
  usage: 'tsbox top [--stack NAME] [--sort tree|cpu|memory|io|pids|oom|name] [--interval SECONDS]',
  help: [
    'Shows what the cgroups use, live: as a tree, or sorted. Keys: t c m i p o n sort, / filters, arrows scroll, space pauses,',
    '? tells, q quits. For output to a file or a pipe there is tsbox stats.',
  ].join('\n'),
  async run(args) {
    const interval = secondsOption(args, 'interval', 1, 0.1, 3600);
    const { SORTS, START } = await import('../../report/top-text.ts');
    const sort = (args.values.sort ?? 'tree') as Sort;
    if (!SORTS.includes(sort)) {
      throw new TsboxError('TSB2001', `--sort ${sort} is unknown`, { hint: `one of ${SORTS.join(', ')}` });
    }
    if (!process.stdout.isTTY || !process.stdin.isTTY) {
      throw new TsboxError('TSB2001', 'top needs a terminal', { hint: 'tsbox stats prints the same once' });
    }
    const { openReader } = await import('../../kernel/reader.ts');
    const { Sampler } = await import('../sampling.ts');
    const reader = openReader(process.env);
    requirePrivileges(reader, 'top');
    const sampler = new Sampler(reader, args.stack);
    return follow(() => sampler.next(), { ...START, sort }, interval * 1000);
  },
};

async function follow(sample: () => StatsRow[], start: TopState, intervalMs: number): Promise<number> {
  const { HEAD, keysOf, press, shownRows, topLines } = await import('../../report/top-text.ts');
  const { stdin, stdout } = process;
  let state = start;
  let rows = sample();
  let time = new Date();
  const draw = (): void => {
    const lines = topLines(rows, state, stdout.columns, stdout.rows, time.toTimeString().slice(0, 8));
    const text = lines.map((l, i) => `${i === 1 && !state.help ? `${INVERSE}${l}${PLAIN}` : l}${TO_LINE_END}`);
    stdout.write(`${HOME}${text.join('\r\n')}${TO_SCREEN_END}`);
  };
  let left = false;
  const leave = (): void => {
    if (!left) {
      left = true;
      stdin.setRawMode(false);
      stdout.write(LEAVE);
    }
  };
  // Whatever ends this process, the terminal is as it was.
  process.once('exit', leave);
  stdin.setRawMode(true);
  stdout.write(ENTER);
  try {
    await new Promise<void>((resolve, reject) => {
      const guard = (body: () => void): void => {
        try {
          body();
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      };
      const timer = setInterval(
        () =>
          guard(() => {
            if (!state.paused) {
              rows = sample();
              time = new Date();
            }
            draw();
          }),
        intervalMs,
      );
      const end = (): void => {
        clearInterval(timer);
        resolve();
      };
      stdin.setEncoding('utf8').on('data', (data: string) =>
        guard(() => {
          for (const key of keysOf(data)) {
            state = press(state, key, Math.max(1, stdout.rows - HEAD), shownRows(rows, state).length);
          }
          if (state.quit) {
            end();
          } else {
            draw();
          }
        }),
      );
      stdin.on('end', end);
      stdout.on('resize', () => guard(draw));
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
        process.once(signal, end);
      }
      draw();
    });
  } finally {
    stdin.pause();
    leave();
  }
  return EXIT.ok;
}
