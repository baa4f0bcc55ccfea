/** Prometheus' text exposition format, version 0.0.4. */

export type Labels = Readonly<Record<string, string>>;
export type Sample = readonly [Labels, number];

const escapeLabel = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

/** A metric with its samples. */
export function metricBlock(name: string, type: 'gauge' | 'counter', help: string, samples: readonly Sample[]): string {
  const lines = samples.map(([labels, value]) => {
    const text = Object.entries(labels).map(([k, v]) => `${k}="${escapeLabel(v)}"`);
    return `${name}${text.length === 0 ? '' : `{${text.join(',')}}`} ${value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}
