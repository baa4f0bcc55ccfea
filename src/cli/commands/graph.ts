import type { Command } from '../main.ts';
import { EXIT } from '../exit.ts';
import { TsboxError } from '../../errors.ts';
import type { Graph } from '../../report/graph/model.ts';
import { out } from '../output.ts';
import { loadStackFor } from '../session.ts';
import { writeWhole } from '../write-file.ts';

const FORMATS: Readonly<Record<string, (graph: Graph) => Promise<string>>> = {
  svg: async (graph) => (await import('../../report/graph/svg.ts')).svgText(graph),
  dot: async (graph) => (await import('../../report/graph/text-formats.ts')).dotText(graph),
  mermaid: async (graph) => (await import('../../report/graph/text-formats.ts')).mermaidChart(graph),
  json: async (graph) => (await import('../../report/graph/model.ts')).graphJson(graph),
};

export const command: Command = {
  options: ['file', 'var', 'format', 'output'],
  usage: 'tsbox graph [-f FILE]… [--format svg|dot|mermaid|json] [-o FILE]',
  help: [
    'Draws a stack: the tree of its cgroups with their limits, who is in which namespace, who has which volumes, secrets and',
    'configs, and who starts after whom. Nothing of the kernel is looked at. The same stack gives the same text.',
  ].join('\n'),
  async run(args) {
    const format = args.values.format ?? 'svg';
    const render = Object.hasOwn(FORMATS, format) ? FORMATS[format] : undefined;
    if (render === undefined || args.positionals.length > 0) {
      throw new TsboxError(
        'TSB2001',
        render === undefined ? `there is no format '${format}'` : 'graph takes no names',
        {
          expected: Object.keys(FORMATS).join(', '),
        },
      );
    }
    const { declaredGraph } = await import('../graph-model.ts');
    const text = await render(declaredGraph(await loadStackFor(args)));
    if (args.values.output === undefined) {
      out(text);
    } else {
      writeWhole(args.values.output, text);
    }
    return EXIT.ok;
  },
};
