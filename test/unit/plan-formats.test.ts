/** A plan in every format, against what is kept in test/golden/plan; UPDATE=1 writes it anew. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { PLAIN } from '../../src/report/palette.ts';
import { renderPlanJson } from '../../src/report/plan-json.ts';
import { planMarkdown } from '../../src/report/plan-markdown.ts';
import { renderPlan } from '../../src/report/plan-text.ts';
import { planDocument } from '../../src/report/terraform/document.ts';
import { stateDocument } from '../../src/report/terraform/state.ts';
import { everyChange, SECRET } from '../support/planned.ts';
import { repository } from '../support/sandbox.ts';

const GOLDEN = join(repository(), 'test', 'golden', 'plan');

function golden(name: string, text: string): void {
  const path = join(GOLDEN, name);
  if (process.env['UPDATE'] === '1' || !existsSync(path)) {
    assert.is(process.env['UPDATE'], '1', `${name} is missing: UPDATE=1 writes it`);
    writeFileSync(path, text);
  }
  assert.fixture(text, readFileSync(path, 'utf8'));
}

interface Entry {
  readonly address: string;
  readonly action_reason?: string;
  readonly change: Record<string, unknown> & { readonly actions: readonly string[] };
}

const document = planDocument(everyChange()) as Record<string, unknown> & {
  resource_changes: Entry[];
  resource_drift: Entry[];
};
const changeOf = (address: string): Entry => document.resource_changes.find((c) => c.address === address) as Entry;

test('text', async () => golden('plan.txt', await renderPlan(everyChange().plan, PLAIN)));

test('text, one line for each resource', async () =>
  golden('plan-compact.txt', await renderPlan(everyChange().plan, PLAIN, { compact: true, mask: everyChange().mask })));

test('text, with each step', async () =>
  golden('plan-steps.txt', await renderPlan(everyChange().plan, PLAIN, { compact: true, steps: true })));

test('a comment on a change', async () =>
  golden('plan.md', await planMarkdown(everyChange().plan, { mask: everyChange().mask })));

test('one document', () => golden('plan.json', `${JSON.stringify(document, null, 2)}\n`));

test('a stream', () => {
  const stream = renderPlanJson(everyChange()).replace(/"@timestamp":"[^"]+"/g, '"@timestamp":"TIME"');
  golden('plan.jsonl', stream);
  const types = stream
    .trimEnd()
    .split('\n')
    .map((l) => (JSON.parse(l) as { type: string }).type);
  assert.is(types[0], 'version');
  assert.equal(
    [...new Set(types)],
    ['version', 'diagnostic', 'resource_drift', 'planned_change', 'change_summary', 'outputs'],
  );
});

test('the state of what lives', () => {
  const { observed, outputs, bootId, mask, version } = everyChange();
  const state = stateDocument({
    stack: 'shop',
    observed: [...observed.values()],
    outputs,
    version,
    bootId,
    installation: 'here',
    details: [],
    mask,
    origins: undefined,
    checks: [],
  });
  golden('state.json', `${JSON.stringify(state, null, 2)}\n`);
});

test('actions, reasons and sides are those that readers of Terraform know', () => {
  assert.equal(changeOf('tsbox_cgroup.tenants').change.actions, ['no-op']);
  assert.equal(changeOf('tsbox_cgroup.foreign').change.actions, ['forget']);
  const made = changeOf('tsbox_namespace.bus').change;
  assert.equal([made.actions, made['before'], made['before_sensitive']], [['create'], null, false]);
  assert.equal(made['after_unknown'], { inode: true });
  const removed = changeOf('tsbox_cgroup.old');
  assert.equal([removed.change.actions, removed.change['after']], [['delete'], null]);
  assert.equal([removed.change['after_sensitive'], removed.change['after_unknown']], [false, {}]);
  assert.is(removed.action_reason, 'delete_because_no_resource_config');
  const replaced = changeOf('tsbox_container.db');
  assert.equal(replaced.change.actions, ['delete', 'create']);
  assert.is(replaced.action_reason, 'replace_because_cannot_update');
  assert.equal(replaced.change['replace_paths'], [['namespace.ipc'], ['env']]);
  assert.equal(replaced.change['after_sensitive'], { env: { TOKEN: true } });
  assert.is(changeOf('tsbox_container.proxy').action_reason, 'replace_by_triggers');
  const addresses = document.resource_changes.map((c) => c.address);
  assert.equal(addresses, [...addresses].sort());
});

test('drift is what the last apply left against what is there', () => {
  const drifted = document.resource_drift.map((d) => [d.address, ...d.change.actions]);
  assert.equal(drifted, [
    ['tsbox_cgroup.tenants["api"]', 'update'],
    ['tsbox_container.job', 'update'],
    ['tsbox_container.web[0]', 'update'],
    ['tsbox_container.web[1]', 'delete'],
  ]);
  const [limit] = document.resource_drift;
  assert.is((limit?.change['before'] as Record<string, string>)['memory.max'], '134217728');
  assert.is((limit?.change['after'] as Record<string, string>)['memory.max'], 'max');
});

test('checks: one object each, an instance for each resource, the worst counts', () => {
  const source = everyChange();
  const result = (name: string, address: string, status: 'pass' | 'fail') =>
    ({ kind: 'policy', name, address, severity: 'error', status, message: `${SECRET} is too much` }) as const;
  const checks = [result('small', 'container/b', 'fail'), result('small', 'container/a', 'pass')];
  const { checks: shown } = planDocument({ ...source, plan: { ...source.plan, checks } });
  assert.equal(shown, [
    {
      address: { kind: 'check', to_display: 'policy.small', name: 'small' },
      status: 'fail',
      instances: [
        {
          address: { to_display: 'tsbox_container.b' },
          status: 'fail',
          problems: [{ message: source.mask(`${SECRET} is too much`) }],
        },
        { address: { to_display: 'tsbox_container.a' }, status: 'pass' },
      ],
    },
  ]);
  assert.not.match(JSON.stringify(shown), SECRET);
});

test('secrets are in no format', () => {
  const all = [JSON.stringify(document), renderPlanJson(everyChange())].join('\n');
  // The attributes below tsbox and the text are masked by the command line, where everything passes.
  assert.not.match(JSON.stringify(document), SECRET);
  assert.match(all, '(sensitive value)');
  assert.not.match(all, '"TOKEN":"old"', 'what a secret takes the place of is one too');
});

test.run();
