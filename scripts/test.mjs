// The guarded test runner. uvu alone exits 0 for a throwing hook, a forgotten run() and a file without tests; here a
// file counts only if it exits 0 and its own totals add up.
//
//   node scripts/test.mjs [SUITE]… [--filter TEXT] [--strict] [--with-guest]
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const built = process.env.TSBOX_TEST_DIR ?? join(root, 'build', 'test');
const TIMEOUT = Number(process.env.TSBOX_TEST_TIMEOUT ?? 240) * 1000;
/** Suites whose files touch nothing outside their process. */
const PURE = new Set(['unit', 'property']);

const argv = process.argv.slice(2);
const filterAt = argv.indexOf('--filter');
const filter = filterAt < 0 ? '' : argv[filterAt + 1];
const strict = argv.includes('--strict');
const suites = argv.filter((a, i) => !a.startsWith('--') && (filterAt < 0 || i !== filterAt + 1));

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
      // The whole group: what a test started goes with it.
      process.kill(-child.pid, 'SIGKILL');
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

function report(result, began) {
  totals.passed += result.passed;
  totals.failed += result.failed;
  totals.skipped += result.skipped;
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

async function runSuite(suite) {
  const queue = filesOf(suite);
  const worker = async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const began = performance.now();
      report(await runFile(file), began);
    }
  };
  await Promise.all(Array.from({ length: PURE.has(suite) ? 2 : 1 }, worker));
}

for (const suite of suites.length > 0 ? suites : ['unit', 'property', 'host', 'hybrid', 'faults']) {
  await runSuite(suite);
}

if (argv.includes('--with-guest')) {
  const guest = spawnSync(process.execPath, [join(root, 'scripts', 'guest.mjs')], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 28,
  });
  process.stdout.write(
    guest.stdout.replace(/^\d+ passed, \d+ failed, \d+ skipped$/gm, (line) => `guest: ${line.replaceAll(',', ';')}`),
  );
  const line = /^(\d+) passed, (\d+) failed, (\d+) skipped$/m.exec(guest.stdout);
  totals.passed += Number(line?.[1] ?? 0);
  totals.failed += line === null ? 1 : Number(line[2]);
  totals.skipped += Number(line?.[3] ?? 0);
}

console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
const nothing = totals.passed + totals.failed === 0;
process.exit(totals.failed > 0 || nothing || (strict && totals.skipped > 0) ? 1 : 0);
