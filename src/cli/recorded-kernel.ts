/** Recorded kernels on the command line: `plan --record-kernel FILE` writes one, `plan --kernel FILE` plans against it. */
import { readFileSync, statSync } from 'node:fs';
import { TsboxError, whyOf } from '../errors.ts';
import { parseRecording, recordingText, RECORDING_LIMIT, type Recording } from '../kernel/recorded/document.ts';
import { RecordedReader } from '../kernel/recorded/reader.ts';
import { RecordingReader } from '../kernel/recorded/recorder.ts';
import { withoutSecretTexts, withSecretTexts, type SecretText } from '../kernel/recorded/secrets.ts';
import { openReader, type KernelReader } from '../kernel/reader.ts';
import type { Planned } from '../planner/index.ts';
import { knobAccess } from '../resources/cgroup/access.ts';
import { SYMBOLS } from '../resources/cgroup/probe.ts';
import { KNOBS } from '../resources/cgroup/registry.ts';
import { entriesOf } from '../resources/attribute.ts';
import { contentDigest, contentOf, secretTexts } from '../resources/files.ts';
import type { Stack } from '../stack/types.ts';
import type { Arguments } from './args.ts';
import { writeWhole } from './write-file.ts';

/** The reader of --kernel or --record-kernel: a recording, or this machine with somebody who writes down what it says. */
export function readerFor(args: Arguments, stack: Stack | undefined): KernelReader {
  const { kernel, 'record-kernel': record } = args.values;
  if (kernel === undefined) {
    return new RecordingReader(openReader(process.env));
  }
  if (record !== undefined) {
    throw new TsboxError('TSB2001', '--kernel and --record-kernel go one without the other');
  }
  return openRecording(kernel, stack);
}

/** Shorter ones cannot be told from other text: what they stand in would be lost with them. */
const SHORTEST = 4;

/** Texts of a stack's secrets by names that stay when a value changes. */
function namedSecrets(stack: Stack | undefined, bootId: string): SecretText[] {
  if (stack === undefined) {
    return [];
  }
  const variables = Object.entries(stack.variables)
    .filter(([, v]) => v.sensitive)
    .map(([name, v]) => ({ name: `variable ${name}`, text: String(v.value) }));
  const named = new Set(variables.map((v) => v.text));
  // Those of modules have values only.
  const inModules = stack.sensitive
    .filter((text) => !named.has(text))
    .map((text, i) => ({ name: `variable of a module ${i + 1}`, text }));
  const files = [...stack.secrets.values()].flatMap((spec) => {
    const content = contentOf(spec);
    return typeof content === 'string'
      ? []
      : [
          { name: `content of ${spec.name}`, text: content.toString('utf8') },
          { name: `bytes of ${spec.name}`, text: content.toString('base64') },
          { name: `digest of ${spec.name}`, text: contentDigest(content, true, bootId) },
          // Without the line's end, and line by line, as programs take them.
          ...secretTexts([spec]).map((text, i) => ({ name: `text ${i + 1} of ${spec.name}`, text })),
        ];
  });
  return [...variables, ...inModules, ...files].flatMap(withEscaped);
}

/** A secret as it stands, and as it stands in the JSON of records. */
function withEscaped({ name, text }: SecretText): SecretText[] {
  const escaped = JSON.stringify(text).slice(1, -1);
  return escaped === text
    ? [{ name, text }]
    : [
        { name, text },
        { name: `${name}, escaped`, text: escaped },
      ];
}

/** What sensitive variables of containers held before: it stands in records and environments. */
function earlierTexts({ observed, declared }: Planned, known: readonly SecretText[]): SecretText[] {
  const holds = (text: string): boolean => known.some((k) => k.text !== '' && text.includes(k.text));
  return [...observed.values()].flatMap((o) => {
    const wanted = entriesOf(declared.get(o.address)?.desired['env']);
    const secret = Object.keys(wanted).filter((key) => holds(wanted[key] ?? ''));
    return [o.live['env'], o.applied?.['env']].flatMap((env) =>
      secret.flatMap((key) => {
        const text = entriesOf(env)[key] ?? '';
        return text === '' || holds(text) ? [] : withEscaped({ name: `earlier ${key} of ${o.address}`, text });
      }),
    );
  });
}

/** Targets at which containers have secrets, or had. */
function secretTargets({ observed, declared }: Planned): Set<string> {
  const attributes = [
    ...[...declared.values()].map((d) => d.desired['secrets']),
    ...[...observed.values()].map((o) => o.applied?.['secrets']),
  ];
  return new Set(attributes.flatMap((value) => Object.keys(entriesOf(value))));
}

/** Of the kernel's five megabytes of names those that knobs are told by. */
function withFewSymbols(recording: Recording): Recording {
  const text = recording.answers.files?.[SYMBOLS];
  if (typeof text !== 'string') {
    return recording;
  }
  const names = KNOBS.flatMap(({ v2, v2Else, v1, v1Else }) =>
    [v2, v2Else, v1, v1Else].flatMap((files) => files?.conditional ?? []),
  ).filter((name) => name !== '');
  const lines = text.split('\n').filter((line, i) => i === 0 || names.some((name) => line.includes(` ${name}`)));
  const files = { ...recording.answers.files, [SYMBOLS]: lines.join('\n') };
  return { ...recording, answers: { ...recording.answers, files } };
}

/** Writes what the reader was asked for a plan, without the stack's secrets; nobody but its owner reads the file. */
export function writeRecording(path: string, reader: KernelReader, planned: Planned, stack: Stack | undefined): void {
  if (!(reader instanceof RecordingReader)) {
    throw new Error('nothing was recorded');
  }
  reader.widen();
  KNOBS.forEach((knob) => knobAccess(reader, knob));
  const known = namedSecrets(stack, reader.bootId);
  const secrets = [...known, ...earlierTexts(planned, known)];
  const short = secrets.find((s) => s.text !== '' && s.text.length < SHORTEST);
  if (short !== undefined) {
    throw new TsboxError('TSB3014', `${short.name} is too short to be left out of a recording`, {
      hint: `give it at least ${SHORTEST} characters for the recording`,
    });
  }
  const recording = withoutSecretTexts(
    withFewSymbols(reader.recording(stack?.directory ?? process.cwd())),
    secrets,
    secretTargets(planned),
  );
  writeWhole(path, recordingText(recording), 0o600);
}

/**
 * A reader that answers from a file.
 * @throws TsboxError TSB2001 when it cannot be read, TSB3014 when it is no recording
 */
export function openRecording(path: string, stack: Stack | undefined): RecordedReader {
  let text: string;
  try {
    const stat = statSync(path);
    if (!stat.isFile()) {
      throw new TsboxError('TSB3014', `${path} is not a regular file`, { subject: path });
    }
    if (stat.size > RECORDING_LIMIT) {
      throw new TsboxError('TSB3014', `${path} has more than ${RECORDING_LIMIT} bytes`, { subject: path });
    }
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof TsboxError) {
      throw error;
    }
    const code = whyOf(error);
    throw new TsboxError('TSB2001', `cannot read the recorded kernel ${path}: ${code}`, {
      subject: path,
      cause: error,
    });
  }
  const recording = parseRecording(path, text);
  const known = withSecretTexts(recording, namedSecrets(stack, recording.boot_id));
  return new RecordedReader(known, path, stack?.directory ?? process.cwd());
}
