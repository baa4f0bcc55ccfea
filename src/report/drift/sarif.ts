/** SARIF 2.1.0 (OASIS): drift as findings at the place in the stack file that declares what drifted. */
import { relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { SEVERITIES, type Severity } from '../../resources/drift-settings.ts';
import { DRIFT_CLASSES, type DriftClass, type DriftItem, type DriftReport, type IgnoredItem } from './model.ts';
import { CLASS_WORDS, healText, ignoredText, sinceText, byText } from './words.ts';

const LEVELS: Readonly<Record<Severity, 'error' | 'warning' | 'note'>> = {
  security: 'error',
  capacity: 'warning',
  cosmetic: 'note',
};

const MEANING: Readonly<Record<DriftClass, string>> = {
  changed: 'A value in the kernel is not the one that was applied last.',
  missing: 'A resource that was there after the last apply is gone.',
  stopped: 'A container that should run does not.',
  supervision: 'The supervisor of a running container is gone.',
  unmanaged: 'Something is inside a resource that no stack made.',
  foreign: 'Something among what is ours has the label of another stack or installation.',
};

/** @param directory what paths of files are relative to */
export function driftSarif(reports: readonly DriftReport[], version: string, directory: string): string {
  const rules = DRIFT_CLASSES.flatMap((cls) =>
    SEVERITIES.map((severity) => ({
      id: ruleId(cls, severity),
      name: `Drift${cls.charAt(0).toUpperCase()}${cls.slice(1)}`,
      shortDescription: { text: `Drift: ${CLASS_WORDS[cls]} (${severity})` },
      fullDescription: { text: MEANING[cls] },
      defaultConfiguration: { level: LEVELS[severity] },
      properties: { tags: ['drift', severity] },
    })),
  );
  const index = new Map(rules.map((r, i) => [r.id, i]));
  const result = (item: DriftItem | IgnoredItem): unknown => ({
    ruleId: ruleId(item.class, item.severity),
    ruleIndex: index.get(ruleId(item.class, item.severity)) ?? -1,
    level: LEVELS[item.severity],
    message: {
      text: `${item.address}: ${item.text}. ${item.why}; since ${sinceText(item.since)}. Heal: ${healText(item)}.`,
    },
    locations: [location(item, directory)],
    partialFingerprints: { 'tsboxDrift/v1': item.id },
    ...('ignored' in item ? { suppressions: [{ kind: 'external', justification: ignoredText(item) }] } : {}),
    properties: {
      stack: item.stack,
      attribute: item.attribute,
      severity: item.severity,
      by: byText(item),
      heal: item.heal.command,
    },
  });
  return `${JSON.stringify(
    {
      $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
      version: '2.1.0',
      runs: [
        {
          tool: { driver: { name: 'tsbox', semanticVersion: version, rules } },
          columnKind: 'utf16CodeUnits',
          originalUriBaseIds: { SRCROOT: { uri: `${pathToFileURL(directory).href.replace(/\/$/, '')}/` } },
          invocations: [
            {
              executionSuccessful: reports.every((r) => r.unreadable.length === 0),
              endTimeUtc: reports[0]?.time ?? new Date(0).toISOString(),
              toolExecutionNotifications: reports.flatMap((r) =>
                [...r.warnings, ...r.unreadable.map((u) => `could not be read: ${u}`)].map((text) => ({
                  level: 'warning',
                  message: { text: `${r.stack}: ${text}` },
                })),
              ),
            },
          ],
          results: reports.flatMap((r) => [...r.items, ...r.ignored]).map(result),
        },
      ],
    },
    null,
    2,
  )}\n`;
}

function ruleId(cls: DriftClass, severity: Severity): string {
  return `drift/${cls}/${severity}`;
}

function location(item: DriftItem, directory: string): unknown {
  const logicalLocations = [{ fullyQualifiedName: `${item.stack}:${item.address}`, kind: 'resource' }];
  if (item.at === null) {
    return { logicalLocations };
  }
  const { file, line, column, length } = item.at;
  const path = file.startsWith('/') ? relative(directory, file) : file;
  const outside = path === '' || path.startsWith('..');
  return {
    physicalLocation: {
      artifactLocation: outside
        ? { uri: pathToFileURL(file).href }
        : { uri: path.split('/').map(encodeURIComponent).join('/'), uriBaseId: 'SRCROOT' },
      region: { startLine: line, startColumn: column, endLine: line, endColumn: column + length },
    },
    logicalLocations,
  };
}
