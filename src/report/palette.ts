/** Colours by meaning, so that renderers know nothing of terminals. */

export interface Palette {
  readonly add: (text: string) => string;
  readonly change: (text: string) => string;
  readonly remove: (text: string) => string;
  readonly replace: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly bold: (text: string) => string;
  /** Colours without a meaning, to tell things apart; none where there are no colours. */
  readonly tints: ReadonlyArray<(text: string) => string>;
}

const same = (text: string): string => text;

export const PLAIN: Palette = {
  add: same,
  change: same,
  remove: same,
  replace: same,
  dim: same,
  bold: same,
  tints: [],
};

/** The palette for a colour-capable output; loads chalk only then. */
export async function colours(): Promise<Palette> {
  const { Chalk } = await import('chalk');
  const chalk = new Chalk({ level: 1 });
  return {
    add: (t) => chalk.green(t),
    change: (t) => chalk.yellow(t),
    remove: (t) => chalk.red(t),
    replace: (t) => chalk.magenta(t),
    dim: (t) => chalk.dim(t),
    bold: (t) => chalk.bold(t),
    tints: [
      (t) => chalk.cyan(t),
      (t) => chalk.yellow(t),
      (t) => chalk.green(t),
      (t) => chalk.magenta(t),
      (t) => chalk.blue(t),
      (t) => chalk.red(t),
    ],
  };
}
