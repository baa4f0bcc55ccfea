import type { Command } from '../main.ts';
import { EXIT } from '../exit.ts';
import { out } from '../output.ts';

export const command: Command = {
  options: ['json'],
  words: 0,
  usage: 'tsbox doctor [--json]',
  help: 'Shows what this kernel and these privileges allow, and what to do about what is missing. Exit 1 when containers cannot be started.',
  async run(args) {
    const { openReader } = await import('../../kernel/reader.ts');
    const { examine } = await import('../examine.ts');
    const { checkpointFinding } = await import('../examine-criu.ts');
    const { installationFindings } = await import('../examine-installation.ts');
    const { imageFindings } = await import('../examine-images.ts');
    const reader = openReader(process.env);
    const findings = [
      ...examine(reader),
      ...installationFindings(reader),
      ...imageFindings(reader),
      await checkpointFinding(),
    ];
    if (args.flags.json === true) {
      out(`${JSON.stringify(findings, null, 2)}\n`);
    } else {
      const width = Math.max(...findings.map((f) => f.what.length));
      for (const f of findings) {
        const mark = f.status === 'ok' ? 'ok     ' : f.status === 'missing' ? 'MISSING' : 'limited';
        out(`${mark}  ${f.what.padEnd(width)}  ${f.detail}\n`);
        if (f.remedy !== undefined) {
          out(`${' '.repeat(9)}${f.remedy}\n`);
        }
      }
    }
    return findings.some((f) => f.status === 'missing' && f.essential) ? EXIT.error : EXIT.ok;
  },
};
