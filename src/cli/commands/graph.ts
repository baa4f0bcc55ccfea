import { choiceOption, type Arguments } from '../args.ts';
import type { Command } from '../main.ts';
import { EXIT } from '../exit.ts';
import { TsboxError } from '../../errors.ts';
import type { Graph } from '../../report/graph/model.ts';
import { loadStackFor, requirePrivileges, stackNameFor } from '../session.ts';
import { outOrFile } from '../write-file.ts';

const FORMATS = {
  svg: async (graph: Graph) => (await import('../../report/graph/svg.ts')).svgText(graph),
  dot: async (graph: Graph) => (await import('../../report/graph/text-formats.ts')).dotText(graph),
  mermaid: async (graph: Graph) => (await import('../../report/graph/text-formats.ts')).mermaidChart(graph),
  json: async (graph: Graph) => (await import('../../report/graph/model.ts')).graphJson(graph),
} satisfies Readonly<Record<string, (graph: Graph) => Promise<string>>>;

export const command: Command = {
  options: ['file', 'stack', 'var', 'live', 'format', 'output'],
  words: 0,
  usage:
    'tsbox graph [-f FILE]… [--format svg|dot|mermaid|json] [-o FILE]\ntsbox graph --live [-f FILE… | --stack NAME] [--format svg|dot|mermaid|json] [-o FILE]',
  help: [
    'Draws a stack: the tree of its cgroups with their limits, who is in which namespace, who has which volumes, secrets and',
    'configs, and who starts after whom. Nothing of the kernel is looked at. The same stack gives the same text.',
    '--live draws what runs, from the kernel: limits as they are, also those that nobody declared, cgroups that tsbox did not',
    'make, who really is in which namespace (processes of others too), the state of each container. Without -f and --stack:',
    'every stack of the machine.',
  ].join('\n'),
  async run(args) {
    const render = FORMATS[choiceOption(args, 'format', ['svg', 'dot', 'mermaid', 'json'], 'svg')];
    const text = await render(args.flags.live === true ? await readLive(args) : await readDeclared(args));
    outOrFile(args, text);
    return EXIT.ok;
  },
};

async function readDeclared(args: Arguments): Promise<Graph> {
  if (args.stack !== undefined) {
    throw new TsboxError('TSB2001', '--stack goes with --live: what is declared is in a file', {
      hint: 'give it by -f',
    });
  }
  const { declaredGraph } = await import('../graph-model.ts');
  return declaredGraph(await loadStackFor(args));
}

async function readLive(args: Arguments): Promise<Graph> {
  const { openReader } = await import('../../kernel/reader.ts');
  const { liveGraph } = await import('../graph-live.ts');
  const { stackNames } = await import('../containers.ts');
  const reader = openReader(process.env);
  requirePrivileges(reader, 'graph --live');
  const one = args.stack !== undefined || args.lists.file !== undefined;
  const name = one ? (await stackNameFor(args)).name : undefined;
  if (name !== undefined && !stackNames(reader).includes(name)) {
    throw new TsboxError('TSB2003', `nothing of stack ${name} is here`, { hint: 'apply it first' });
  }
  return liveGraph(reader, name);
}
