// Many transitions between random stacks on the real kernel: npm run transitions -- [--n N] [--seed SEED]
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values } = parseArgs({ options: { n: { type: 'string', default: '300' }, seed: { type: 'string' } } });
const run = (args, env = {}) => {
  const { status } = spawnSync(process.execPath, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  if (status !== 0) {
    process.exit(status ?? 1);
  }
};
run(['scripts/build.mjs', '--tests']);
run(['--enable-source-maps', join('build', 'test', 'engine', 'transitions.test.mjs')], {
  TRANSITIONS: values.n,
  ...(values.seed === undefined ? {} : { SEED: values.seed }),
});
