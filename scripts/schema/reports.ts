/** Schemas of what tsbox writes: the plan document, the state, the event stream, the saved plan. */
import * as z from 'zod';

const json: z.ZodType = z.union([
  z.string(),
  z.boolean(),
  z.null(),
  z.array(z.unknown()),
  z.record(z.string(), z.unknown()),
]);
const values = z.record(z.string(), json);
const marks = z.record(z.string(), json);
const place = z.strictObject({ file: z.string(), line: z.int(), column: z.int(), length: z.int() }).nullable();
const own = z.record(z.string(), z.unknown());
const CAUSES = ['config', 'drift', 'both', 'unknown', 'new'] as const;
const MODES = ['in-place', 'restart', 'replace', 'read-only'] as const;
const ACTIONS = ['create', 'update', 'restart', 'replace', 'delete', 'no-op'] as const;

const head = {
  address: z.string(),
  module_address: z.string().optional(),
  mode: z.literal('managed'),
  type: z.string().regex(/^tsbox_[a-z]+$/),
  name: z.string(),
  index: z.union([z.int(), z.string()]).optional(),
  provider_name: z.string(),
};

const sides = {
  before: values.nullable(),
  after: values.nullable(),
  after_unknown: marks,
  before_sensitive: z.union([z.literal(false), marks]),
  after_sensitive: z.union([z.literal(false), marks]),
};

const edit = z.strictObject({
  op: z.enum(['add', 'remove', 'change']),
  at: z.union([z.string(), z.int().nonnegative()]).nullable(),
  before: z.string().optional(),
  after: z.string().optional(),
});

const changeOwn = z.strictObject({
  address: z.string(),
  action: z.enum(ACTIONS),
  missing: z.boolean(),
  drift: z.int(),
  reasons: z.array(z.string()),
  causes: z.record(z.string(), z.enum(CAUSES)),
  modes: z.record(z.string(), z.enum(MODES)),
  risks: z.record(z.string(), z.string()),
  managers: z.record(z.string(), z.string()).optional(),
  replace_reasons: z.record(z.string(), z.string()),
  edits: z.record(z.string(), z.array(edit)),
  contents: z
    .record(z.string(), z.record(z.string(), z.strictObject({ before: z.string(), after: z.string() })))
    .optional(),
  unmanaged: z.array(z.strictObject({ what: z.string(), text: z.string() })),
  unreadable: z.array(z.string()),
  blocked: z.strictObject({ by: z.string(), message: z.string() }).optional(),
  ignored: z.array(z.string()).optional(),
  steps: z.array(z.string()),
  after: z.array(z.string()),
  rolling: z.strictObject({ at_once: z.int(), on_failure: z.enum(['pause', 'continue', 'rollback']) }).optional(),
  at: place,
});

const TERRAFORM_ACTIONS = [
  z.tuple([z.enum(['no-op', 'create', 'update', 'delete', 'forget'])]),
  z.tuple([z.literal('delete'), z.literal('create')]),
  z.tuple([z.literal('create'), z.literal('delete')]),
] as const;

const resourceChange = z.strictObject({
  ...head,
  previous_address: z.string().optional(),
  action_reason: z.string().optional(),
  change: z.strictObject({
    actions: z.union(TERRAFORM_ACTIONS),
    ...sides,
    importing: z.strictObject({ id: z.string() }).optional(),
    replace_paths: z.array(z.array(z.union([z.string(), z.int()]))).optional(),
    tsbox: changeOwn,
  }),
});

const drifted = z.strictObject({
  ...head,
  change: z.strictObject({
    actions: z.union([z.tuple([z.literal('update')]), z.tuple([z.literal('delete')])]),
    ...sides,
    tsbox: z.strictObject({ address: z.string(), missing: z.boolean(), items: z.int() }),
  }),
});

const output = z.strictObject({
  sensitive: z.boolean(),
  type: z.literal('string').optional(),
  value: z.string().optional(),
});
const resource = z.strictObject({
  ...head,
  schema_version: z.int(),
  values,
  sensitive_values: marks,
});
const childModule = z.strictObject({
  address: z.string(),
  resources: z.array(resource),
  get child_modules() {
    return z.array(childModule).optional();
  },
});
const module = z.strictObject({
  outputs: z.record(z.string(), output),
  root_module: z.strictObject({ resources: z.array(resource), child_modules: z.array(childModule).optional() }),
});

const STATUSES = ['pass', 'fail', 'error', 'unknown'] as const;
const checkResult = z.strictObject({
  address: z.strictObject({
    kind: z.enum(['resource', 'check']),
    to_display: z.string(),
    mode: z.literal('managed').optional(),
    type: z.string().optional(),
    name: z.string(),
  }),
  status: z.enum(STATUSES),
  instances: z.array(
    z.strictObject({
      address: z.strictObject({ to_display: z.string() }),
      status: z.enum(STATUSES),
      problems: z.array(z.strictObject({ message: z.string() })).optional(),
    }),
  ),
});

const configured = z.strictObject({
  address: z.string(),
  mode: z.literal('managed'),
  type: z.string(),
  name: z.string(),
  provider_config_key: z.string(),
  expressions: z.record(z.string(), z.strictObject({ constant_value: json })),
  schema_version: z.int(),
  count_expression: own.optional(),
  for_each_expression: own.optional(),
  depends_on: z.array(z.string()).optional(),
});
const moduleCall = z.strictObject({
  for_each_expression: own.optional(),
  module: z.strictObject({
    resources: z.array(configured),
    get module_calls() {
      return z.record(z.string(), moduleCall).optional();
    },
  }),
});

export const planDocumentSchema = z.strictObject({
  format_version: z.literal('1.2'),
  terraform_version: z.string(),
  variables: z.record(z.string(), z.strictObject({ value: z.union([z.string(), z.number(), z.boolean()]) })),
  planned_values: module,
  resource_drift: z.array(drifted),
  resource_changes: z.array(resourceChange),
  output_changes: z.record(
    z.string(),
    z.strictObject({
      actions: z.tuple([z.enum(['no-op', 'create', 'update', 'delete'])]),
      before: z.string().nullable(),
      after: z.string().nullable().optional(),
      after_unknown: z.boolean(),
      before_sensitive: z.boolean(),
      after_sensitive: z.boolean(),
    }),
  ),
  prior_state: z.strictObject({ format_version: z.literal('1.0'), terraform_version: z.string(), values: module }),
  configuration: z.strictObject({
    provider_config: z.record(z.string(), z.strictObject({ name: z.string(), full_name: z.string() })),
    root_module: z.strictObject({
      outputs: z
        .record(z.string(), z.strictObject({ sensitive: z.literal(true).optional(), expression: own }))
        .optional(),
      resources: z.array(configured),
      module_calls: z.record(z.string(), moduleCall).optional(),
      variables: z.record(z.string(), z.strictObject({ sensitive: z.literal(true).optional() })).optional(),
    }),
  }),
  relevant_attributes: z.array(own),
  checks: z.array(checkResult),
  timestamp: z.string(),
  applyable: z.boolean(),
  complete: z.boolean(),
  errored: z.boolean(),
  tsbox: z.strictObject({
    version: z.string(),
    stack: z.string(),
    boot_id: z.string(),
    destroy: z.boolean(),
    summary: z.record(z.string(), z.int()),
    warnings: z.array(z.string()),
    unreadable: z.array(z.string()),
  }),
});

export const stateDocumentSchema = z.strictObject({
  format_version: z.literal('1.0'),
  terraform_version: z.string(),
  values: module,
  checks: z.array(checkResult),
  tsbox: z.strictObject({
    version: z.string(),
    stack: z.string(),
    boot_id: z.string(),
    installation: z.string(),
    resources: z.array(z.looseObject({ address: z.string(), exists: z.boolean(), live: own, facts: own })),
  }),
});

const common = {
  '@level': z.enum(['info', 'warn', 'error']),
  '@message': z.string(),
  '@module': z.literal('tsbox.ui'),
  '@timestamp': z.string(),
  '@testfile': z.string().optional(),
  '@testrun': z.string().optional(),
};
const streamed = z.strictObject({
  addr: z.string(),
  module: z.string(),
  resource: z.string(),
  implied_provider: z.literal('tsbox'),
  resource_type: z.string(),
  resource_name: z.string(),
  resource_key: z.union([z.int(), z.string(), z.null()]),
});
const UI_ACTIONS = ['noop', 'create', 'read', 'update', 'replace', 'delete', 'move', 'import', 'remove'] as const;
const uiChange = z.strictObject({
  resource: streamed,
  previous_resource: streamed.optional(),
  action: z.enum(UI_ACTIONS),
  reason: z.string().optional(),
  ...sides,
  cause: z.enum(['config', 'drift', 'both']),
  step: z.array(z.string()).optional(),
  tsbox: z.looseObject({ address: z.string(), action: z.enum(ACTIONS), attributes: z.array(own) }),
});
const hook = z.strictObject({
  resource: streamed,
  action: z.enum(UI_ACTIONS),
  id_key: z.string().optional(),
  id_value: z.string().optional(),
  elapsed_seconds: z.number(),
  tsbox: z.looseObject({ address: z.string(), action: z.enum(ACTIONS) }),
});
const TEST_STATUS = z.enum(['pass', 'fail', 'error', 'skip']);
const event = <T extends z.ZodRawShape>(type: string, shape: T) =>
  z.strictObject({ ...common, type: z.literal(type), ...shape });
const position = z.strictObject({ line: z.int(), column: z.int(), byte: z.int() });

export const eventSchema = z.union([
  event('version', { tsbox: z.string(), ui: z.literal('1.2') }),
  event('diagnostic', {
    diagnostic: z.strictObject({
      severity: z.enum(['error', 'warning']),
      summary: z.string(),
      detail: z.string(),
      address: z.string().optional(),
      range: z.strictObject({ filename: z.string(), start: position, end: position }).optional(),
      snippet: z
        .strictObject({
          context: z.null(),
          code: z.string(),
          start_line: z.int(),
          highlight_start_offset: z.int(),
          highlight_end_offset: z.int(),
          values: z.array(own),
        })
        .optional(),
      tsbox: own.optional(),
    }),
  }),
  event('resource_drift', { change: uiChange }),
  event('planned_change', { change: uiChange }),
  event('change_summary', {
    changes: z.strictObject({
      add: z.int(),
      change: z.int(),
      import: z.int(),
      remove: z.int(),
      forget: z.int(),
      operation: z.enum(['plan', 'apply', 'destroy']),
    }),
    tsbox: own.optional(),
  }),
  ...['apply_start', 'apply_progress', 'apply_complete', 'apply_errored', 'apply_skipped'].map((t) =>
    event(t, { hook }),
  ),
  event('test_abstract', { test_abstract: z.record(z.string(), z.array(z.string())) }),
  event('test_file', { test_file: z.strictObject({ path: z.string(), status: TEST_STATUS }) }),
  event('test_run', {
    test_run: z.strictObject({ path: z.string(), run: z.string(), status: TEST_STATUS }),
    tsbox: z.strictObject({ elapsed_seconds: z.number() }),
  }),
  event('test_plan', { test_plan: own }),
  event('test_cleanup', {
    test_cleanup: z.strictObject({ failed_resources: z.array(z.strictObject({ instance: z.string() })) }),
  }),
  event('test_summary', {
    test_summary: z.strictObject({
      status: TEST_STATUS,
      passed: z.int(),
      failed: z.int(),
      errored: z.int(),
      skipped: z.int(),
    }),
  }),
  event('checks', { checks: z.array(checkResult) }),
  event('outputs', {
    outputs: z.record(
      z.string(),
      z.strictObject({
        sensitive: z.boolean(),
        action: z.string().optional(),
        type: z.literal('string').optional(),
        value: z.string().nullable().optional(),
      }),
    ),
  }),
]);

const hex = (length: number) => z.string().regex(new RegExp(`^[0-9a-f]{${length}}$`));

export const savedPlanSchema = z.strictObject({
  format: z.literal('tsbox-plan'),
  format_version: z.literal(1),
  tsbox_version: z.string(),
  id: hex(32),
  created: z.string(),
  machine_id: z.string(),
  boot_id: z.string(),
  cgroup_root: z.string(),
  stack: z.string(),
  directory: z.string(),
  files: z.array(z.string()),
  sources: z.array(z.strictObject({ name: z.string(), sha256: hex(64) })),
  variables: z.record(
    z.string(),
    z.union([z.strictObject({ value: z.string() }), z.strictObject({ sensitive: z.literal(true), digest: hex(64) })]),
  ),
  options: own,
  plan: z.looseObject({ stack: z.string(), changes: z.array(own), complete: z.boolean() }),
  basis: z.strictObject({
    stack: z.string(),
    complete: z.boolean(),
    declared: z.array(z.string()),
    unchanged: z.array(z.string()),
    changes: z.array(z.looseObject({ address: z.string(), action: z.enum(ACTIONS), steps: z.array(own), facts: own })),
  }),
  basis_digest: hex(64),
  document: own,
  configuration: z.strictObject({
    cipher: z.literal('aes-256-gcm'),
    nonce: z.string(),
    tag: z.string(),
    data: z.string(),
  }),
  integrity: z.strictObject({ sha256: hex(64), mark: hex(64) }),
});
