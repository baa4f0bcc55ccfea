// The guarded test runner. uvu alone exits 0 for a throwing hook, a forgotten run() and a file without tests; here a
// file counts only if it exits 0 and its own totals add up.
//
//   node scripts/test.mjs [SUITE]… [--filter TEXT] [--shard I/N] [--strict] [--with-guest] [--again]
//
// --again: a file of real processes that fails is run once more, with nothing beside it, and its second verdict
// counts; the first is printed and named at the end all the same. Pure logic and generated cases get no second run, and
// with more than AGAIN_AT_MOST failed files nothing does: that is no matter of timing.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const built = process.env.TSBOX_TEST_DIR ?? join(root, 'build', 'test');
const TIMEOUT = Number(process.env.TSBOX_TEST_TIMEOUT ?? 480) * 1000;
/** Files side by side: a test waits half of its time, and there are two processors. Under emulation it never waits. */
const WIDTH = process.env.TSBOX_GUEST === '1' ? 1 : 2;
/**
 * Files that measure shares of a processor, a disk or a link, and one that asks what every container of the machine is
 * made of: nothing runs beside them.
 */
const ALONE = new Set([
  'host/effects.test.mjs',
  'host/network-tag.test.mjs',
  'host/stats.test.mjs',
  'container/images-prune.test.mjs',
]);

/** Suites whose files may fail because of what ran beside them. */
const TIMED = /^(host|hybrid|container|engine|faults)\//;
const AGAIN_AT_MOST = 4;

const argv = process.argv.slice(2);
const again = argv.includes('--again');
const filterAt = argv.indexOf('--filter');
const filter = filterAt < 0 ? '' : argv[filterAt + 1];
const strict = argv.includes('--strict');
const shardAt = argv.indexOf('--shard');
const [shard, shards] = (shardAt < 0 ? '1/1' : argv[shardAt + 1]).split('/').map(Number);
const values = [filterAt, shardAt].filter((at) => at >= 0).map((at) => at + 1);
const suites = argv.filter((a, i) => !a.startsWith('--') && !values.includes(i));
/** Guests side by side: one is idle half of the time, and there are two processors. */
const GUESTS = 2;
/** Rough seconds in a guest of the files that take long there, to share them out evenly; the others count as 40. */
const SECONDS = {
  'host/drift.test.mjs': 590,
  'faults/kill.test.mjs': 540,
  'host/stacks.test.mjs': 340,
  'host/checkpoint.test.mjs': 270,
  'host/change.test.mjs': 250,
  'host/control.test.mjs': 200,
  'host/traps-cgroup.test.mjs': 190,
  'host/effects.test.mjs': 175,
  'host/events.test.mjs': 105,
  'host/network-tag.test.mjs': 105,
  'host/adopt.test.mjs': 80,
};

/** Runs one file and judges it. */
function runFile(file) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--enable-source-maps', file], {
      cwd: root,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, FORCE_COLOR: '0', NO_COLOR: '1' },
    });
    let output = '';
    const add = (data) => (output += data);
    child.stdout.on('data', add);
    child.stderr.on('data', add);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      // The whole group: what a test started goes with it. A container that is left may hold our pipes open.
      process.kill(-child.pid, 'SIGKILL');
      child.stdout.destroy();
      child.stderr.destroy();
    }, TIMEOUT);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve(judge(file, code, signal, late, output));
    });
  });
}

function judge(file, code, signal, late, output) {
  const number = (name) => Number(new RegExp(`^\\s*${name}:\\s+(\\d+)`, 'm').exec(output)?.[1] ?? NaN);
  const total = number('Total');
  const passed = number('Passed');
  const skipped = number('Skipped');
  const reasons = [...output.matchAll(/^# SKIP (.*)$/gm)].map((m) => m[1]);
  let problem = '';
  if (late) {
    problem = `did not finish within ${TIMEOUT / 1000} s`;
  } else if (code !== 0) {
    problem = signal === null ? `exit code ${code}` : `ended by ${signal}`;
  } else if (Number.isNaN(total) || Number.isNaN(passed)) {
    problem = 'ran no test (is .run() missing?)';
  } else if (total + skipped === 0 && reasons.length === 0) {
    problem = 'holds no test';
  } else if (passed !== total) {
    problem = `${total - passed} of ${total} did not pass, though it exited 0 (a hook threw?)`;
  }
  const failedTests = Number.isNaN(total) ? 1 : Math.max(problem === '' ? 0 : 1, total - passed);
  return {
    file,
    passed: Number.isNaN(passed) ? 0 : passed,
    failed: failedTests,
    skipped: (Number.isNaN(skipped) ? 0 : skipped) + reasons.length,
    reasons,
    problem,
    output,
  };
}

function filesOf(suite) {
  const directory = join(built, suite);
  return existsSync(directory)
    ? readdirSync(directory, { recursive: true })
        .map(String)
        .filter((n) => n.endsWith('.test.mjs') && n.includes(filter))
        .sort()
        .map((n) => join(directory, n))
    : [];
}

const totals = { passed: 0, failed: 0, skipped: 0 };
/** What failed, for the end of the output, and what is to have a second run. */
const failures = [];
/** What failed beside another file and passed alone. */
const flaky = [];
const retries = [];

/** The failed tests of a file with the first line of what was wrong, or what became of the file. */
function failuresOf({ file, problem, output }) {
  const tests = [...output.matchAll(/^\s*FAIL\s+(?:\S+\s+)?(".*")\n\s*(.*)$/gm)].map((m) => `${m[1]}: ${m[2]}`);
  return (tests.length > 0 ? tests : [problem]).map((text) => `${relative(built, file)}: ${text}`);
}

function count(result, lines) {
  totals.passed += result.passed;
  totals.failed += result.failed;
  totals.skipped += result.skipped;
  failures.push(...lines);
}

function report(result, began) {
  if (result.problem !== '' && again && TIMED.test(relative(built, result.file))) {
    retries.push(result);
  } else {
    count(result, result.problem === '' ? [] : failuresOf(result));
  }
  print(result, began);
}

function print(result, began) {
  const name = relative(built, result.file);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.log(
    `${result.problem === '' ? 'ok  ' : 'FAIL'} ${name}: ${result.passed} passed${result.skipped ? `, ${result.skipped} skipped` : ''} (${seconds} s)`,
  );
  for (const reason of result.reasons) {
    console.log(`     skipped: ${reason}`);
  }
  for (const seed of result.output.matchAll(/^.*\bseed\b.*$/gim)) {
    if (result.problem !== '') {
      console.log(`     ${seed[0].trim()}`);
    }
  }
  if (result.problem !== '') {
    console.log(`     ${result.problem}\n${result.output.replace(/^/gm, '     | ')}`);
  }
}

/** The files of this shard: the longest first, each to the shard that has least so far. */
function shardOf(files) {
  const seconds = (file) => SECONDS[relative(built, file)] ?? 40;
  const loads = Array.from({ length: shards }, () => 0);
  const own = new Set();
  for (const file of [...files].sort((a, b) => seconds(b) - seconds(a) || (a < b ? -1 : 1))) {
    const least = loads.indexOf(Math.min(...loads));
    loads[least] += seconds(file);
    if (least === shard - 1) {
      own.add(file);
    }
  }
  return own;
}

async function runFiles(files, width) {
  const queue = [...files];
  const worker = async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const began = performance.now();
      report(await runFile(file), began);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
}

const wanted = suites.length > 0 ? suites : ['unit', 'property', 'host', 'hybrid', 'container', 'engine', 'faults'];
const all = wanted.flatMap(filesOf);
const own = shardOf(all);
const alone = (file) => ALONE.has(relative(built, file));
const mine = all.filter((file) => own.has(file));
await runFiles(
  mine.filter((file) => !alone(file)),
  WIDTH,
);
await runFiles(mine.filter(alone), 1);
await runAgain();

async function runAgain() {
  if (retries.length > AGAIN_AT_MOST) {
    retries.forEach((first) => count(first, failuresOf(first)));
    return;
  }
  for (const first of retries) {
    const began = performance.now();
    const second = await runFile(first.file);
    print(second, began);
    const passed = second.problem === '';
    count(second, passed ? [] : failuresOf(second));
    flaky.push(...(passed ? failuresOf(first) : []));
  }
}

/** Runs a guest to its end and returns what it printed. */
function runGuest(index) {
  const script = join(root, 'scripts', 'guest.mjs');
  const options = ['--shard', `${index + 1}/${GUESTS}`, ...(again ? ['--again'] : [])];
  const child = spawn(process.execPath, [script, ...options], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  return new Promise((resolve) => child.on('close', () => resolve(output)));
}

if (argv.includes('--with-guest')) {
  // Once, before they all want it.
  spawnSync(process.execPath, [join(root, 'scripts', 'guest.mjs'), '--prepare'], { cwd: root, stdio: 'ignore' });
  for (const output of await Promise.all(Array.from({ length: GUESTS }, (_, i) => runGuest(i)))) {
    const sums = /^(\d+) passed, (\d+) failed, (\d+) skipped$/gm;
    process.stdout.write(output.replace(sums, (line) => `guest: ${line.replaceAll(',', ';')}`));
    const line = sums.exec(output);
    totals.passed += Number(line?.[1] ?? 0);
    totals.failed += line === null ? 1 : Number(line[2]);
    totals.skipped += Number(line?.[3] ?? 0);
    if (line === null) {
      failures.push('guest: it ended before its tests did');
    }
    failures.push(...[...output.matchAll(/^failed: (.*)$/gm)].map((m) => `guest: ${m[1]}`));
    flaky.push(...[...output.matchAll(/^flaky: (.*)$/gm)].map((m) => `guest: ${m[1]}`));
  }
}

for (const line of flaky) {
  console.log(`flaky: ${line}`);
}
for (const failure of failures) {
  console.log(`failed: ${failure}`);
}
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
const nothing = totals.passed + totals.failed === 0;
process.exit(totals.failed > 0 || nothing || (strict && totals.skipped > 0) ? 1 : 0);
