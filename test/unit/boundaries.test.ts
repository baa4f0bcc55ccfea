/** The import directions of docs/how-it-works.md: cli → {stack, planner, executor, report} → resources → kernel → native. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import ts from 'typescript';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { repository } from '../support/sandbox.ts';

const SRC = join(repository(), 'src');

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

/** What each layer may use: '' is src/ itself (errors.ts). 'type:x' allows types only. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  cli: ['', 'cli', 'stack', 'planner', 'executor', 'report', 'resources', 'kernel'],
  // init-spec.ts holds the list of namespace types, which is data.
  stack: ['', 'stack', 'resources', 'type:kernel', 'kernel/init-spec.ts'],
  planner: ['', 'planner', 'resources', 'type:kernel', 'type:stack'],
  executor: ['', 'executor', 'resources', 'kernel', 'type:planner', 'type:stack'],
  report: ['', 'report', 'planner/plan.ts', 'type:planner', 'resources'],
  resources: ['', 'resources', 'kernel', 'type:stack/types.ts'],
  kernel: ['', 'kernel', 'native'],
  '': [''],
};

/** Modules of node and packages that only some layers may load. */
const RESTRICTED: ReadonlyArray<{ readonly module: RegExp; readonly layers: readonly string[] }> = [
  { module: /^(node:)?(fs|fs\/promises)$/, layers: ['kernel', 'stack', 'cli'] },
  { module: /^(node:)?child_process$/, layers: ['kernel'] },
  { module: /^(node:)?(worker_threads|https|dgram)$/, layers: [] },
  { module: /^(node:)?(net|http)$/, layers: ['cli'] },
  { module: /^(node:)?readline/, layers: ['cli'] },
  { module: /^listr2$/, layers: ['cli'] },
  { module: /^chalk$/, layers: ['report', 'cli'] },
  { module: /^yaml$/, layers: ['stack'] },
  { module: /^diff$/, layers: ['report'] },
  { module: /\.node$/, layers: [] },
];

function layerOf(path: string): string {
  const first = path.split('/')[0] ?? '';
  return first.endsWith('.ts') ? '' : first;
}

/** Imports, exports-from and dynamic imports of a source text. */
function importsOf(path: string, text: string): Import[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const found: Import[] = [];
  const add = (specifier: ts.Node | undefined, typeOnly: boolean): void => {
    if (specifier !== undefined && ts.isStringLiteral(specifier)) {
      const to = specifier.text.startsWith('.') ? normalize(join(dirname(path), specifier.text)) : specifier.text;
      found.push({ from: path, to, typeOnly });
    }
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      const clause = node.importClause;
      const named = clause?.namedBindings;
      const allTypes =
        clause?.isTypeOnly === true ||
        (clause?.name === undefined &&
          named !== undefined &&
          ts.isNamedImports(named) &&
          named.elements.length > 0 &&
          named.elements.every((e) => e.isTypeOnly));
      add(node.moduleSpecifier, allTypes);
    } else if (ts.isExportDeclaration(node)) {
      add(node.moduleSpecifier, node.isTypeOnly);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], false);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node.argument.literal, true);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function violation(i: Import): string | undefined {
  const layer = layerOf(i.from);
  const restricted = RESTRICTED.find((r) => r.module.test(i.to));
  if (restricted !== undefined) {
    return i.typeOnly || restricted.layers.includes(layer) ? undefined : `${i.from} loads ${i.to}`;
  }
  const internal = i.to.startsWith('..')
    ? i.to.startsWith('../native/')
      ? 'native'
      : undefined
    : /\.ts$/.test(i.to)
      ? layerOf(i.to)
      : undefined;
  if (internal === undefined) {
    return undefined;
  }
  const rules = ALLOWED[layer] ?? [];
  const fits = rules.some((rule) => {
    const typeRule = rule.startsWith('type:');
    const target = typeRule ? rule.slice(5) : rule;
    return (target === internal || target === i.to) && (!typeRule || i.typeOnly);
  });
  return fits ? undefined : `${i.from} imports ${i.to}${i.typeOnly ? ' (types)' : ''}`;
}

function sources(): Array<{ path: string; text: string }> {
  return readdirSync(SRC, { recursive: true })
    .map(String)
    .filter((f) => f.endsWith('.ts'))
    .map((f) => ({ path: relative(SRC, join(SRC, f)), text: readFileSync(join(SRC, f), 'utf8') }));
}

test('imports point one way', () => {
  const all = sources().flatMap((s) => importsOf(s.path, s.text));
  assert.ok(all.length > 100, 'the imports were found');
  assert.equal(
    all.map(violation).filter((v) => v !== undefined),
    [],
  );
});

test('an injected violation is caught', () => {
  const caught = (path: string, text: string): boolean => importsOf(path, text).some((i) => violation(i) !== undefined);
  assert.ok(caught('planner/x.ts', "import { Kernel } from '../kernel/kernel.ts';"));
  assert.not.ok(caught('planner/x.ts', "import type { KernelReader } from '../kernel/reader.ts';"));
  assert.ok(caught('resources/cgroup/x.ts', "import { makePlan } from '../../planner/index.ts';"));
  assert.ok(caught('report/x.ts', "import { openReader } from '../kernel/reader.ts';"));
  assert.ok(caught('executor/x.ts', "const y = await import('../report/drift.ts');"));
  assert.ok(caught('planner/x.ts', "import { writeFileSync } from 'node:fs';"));
  assert.ok(caught('executor/x.ts', "import chalk from 'chalk';"));
});

test('only src/cli writes to the terminal or exits', () => {
  for (const { path, text } of sources()) {
    if (layerOf(path) !== 'cli') {
      assert.not.match(text, /process\.(stdout|stderr|exit\b|exitCode)|\bconsole\.\w+\(/, path);
    }
  }
});

test.run();
