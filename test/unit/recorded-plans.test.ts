/** Plans of realistic machines, from recorded kernels, against what is kept in test/golden/kernels; UPDATE=1 writes it anew. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { documented } from '../../src/cli/documented.ts';
import { hideSecrets, masked } from '../../src/cli/output.ts';
import { openRecording } from '../../src/cli/recorded-kernel.ts';
import { makePlan, type Planned, type PlanOptions } from '../../src/planner/index.ts';
import { PLAIN } from '../../src/report/palette.ts';
import { renderPlanJson } from '../../src/report/plan-json.ts';
import { planMarkdown } from '../../src/report/plan-markdown.ts';
import { renderPlan } from '../../src/report/plan-text.ts';
import { planDocument, type Documented } from '../../src/report/terraform/document.ts';
import { loadStack, type Stack } from '../../src/stack/index.ts';
import { CLI, repository } from '../support/sandbox.ts';

const KERNELS = join(repository(), 'test', 'kernels');
const GOLDEN = join(repository(), 'test', 'golden', 'kernels');

const MACHINES = readdirSync(KERNELS)
  .filter((f) => f.endsWith('.kernel'))
  .map((f) => f.replace('.kernel', ''));

/** The program as it stands in dist, in the directory of the stack, with nothing of this machine's settings. */
function tsbox(...args: string[]): string {
  const env = { PATH: process.env['PATH'], NO_COLOR: '1' };
  return execFileSync(process.execPath, [CLI, ...args], { cwd: KERNELS, env, encoding: 'utf8', stdio: 'pipe' });
}

function golden(name: string, text: string): void {
  const path = join(GOLDEN, name);
  if (process.env['UPDATE'] === '1' || !existsSync(path)) {
    assert.is(process.env['UPDATE'], '1', `${name} is missing: UPDATE=1 writes it`);
    writeFileSync(path, text);
  }
  assert.fixture(text, readFileSync(path, 'utf8'));
}

/** What differs from run to run, and from version to version. */
function settled(text: string): string {
  return text
    .replace(/("@?timestamp": ?)"[^"]+"/g, '$1"TIME"')
    .replace(/("boot_id": ?)"[^"]+"/g, '$1"BOOT"')
    .replace(/("(?:tsbox|version)": ?)"\d+\.\d+\.\d+[^"]*"/g, '$1"VERSION"')
    .replace(/("@message": ?"tsbox )[^"]+/g, '$1VERSION');
}

/** Of no machine: recordings have their own. */
const BOOT = 'a-boot';

const stackWith = (variables: Readonly<Record<string, string>> = {}): Stack => {
  const stack = loadStack(['shop.yaml'], { env: {}, variables });
  hideSecrets(stack, []);
  return stack;
};

for (const machine of MACHINES) {
  const planned = (stack: Stack, options: Partial<PlanOptions> = {}): Promise<Planned> =>
    makePlan(openRecording(`${machine}.kernel`, stack), stack.name, options.destroy === true ? undefined : stack, {
      targets: [],
      destroy: false,
      ...options,
    });
  const source = (of: Planned, stack: Stack): Documented => documented(of, stack, { destroy: false, bootId: BOOT });

  test(`${machine}: drift, a change, a removal`, async () => {
    golden(`${machine}-drift.txt`, tsbox('plan', '-f', 'shop.yaml', '--kernel', `${machine}.kernel`, '-q'));
    process.chdir(KERNELS);
    const fewer = stackWith({ processes: '20' });
    const changed = await planned(fewer);
    golden(`${machine}-changed.md`, await planMarkdown(changed.plan, { mask: masked }));
    golden(`${machine}-changed.json`, settled(`${JSON.stringify(planDocument(source(changed, fewer)), null, 2)}\n`));
    const stack = stackWith();
    golden(`${machine}-destroy.txt`, await renderPlan((await planned(stack, { destroy: true })).plan, PLAIN));
    const anew = await planned(stack, { replace: ['container/db'] });
    golden(`${machine}-replace.jsonl`, masked(settled(renderPlanJson(source(anew, stack)))));
  });
}

test('no golden plan and no recording holds the secret', () => {
  for (const machine of MACHINES) {
    const files = [
      join(KERNELS, `${machine}.kernel`),
      ...['drift.txt', 'changed.md', 'changed.json', 'destroy.txt', 'replace.jsonl'].map((f) =>
        join(GOLDEN, `${machine}-${f}`),
      ),
    ];
    files.forEach((f) => assert.not.match(readFileSync(f, 'utf8'), 'not-a-real-token', f));
  }
});

test('tests against a recorded kernel', () => {
  assert.match(tsbox('test'), /\nSuccess! 4 passed, 0 failed\.\n$/);
});

test.run();
