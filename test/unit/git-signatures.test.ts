/** Whose signatures a mirror takes for good: git's own word, with OpenPGP keys in a key ring of the test. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { GitMirror } from '../../src/kernel/git.ts';

const has = (program: string): boolean => spawnSync(program, ['--version']).status === 0;
const able = has('gpg') && has('gpg-agent') && has('git');
if (!able) {
  console.log('# SKIP git-signatures: gpg, gpg-agent or git is not installed');
}
const test = suite('signatures');
let dir = '';
let home = '';
const before = process.env['GNUPGHOME'];

test.before(() => {
  // Short: the agent's socket is in it (unix(7)).
  dir = mkdtempSync(join(tmpdir(), 'gs-'));
  home = join(dir, 'g');
  mkdirSync(home, { mode: 0o700 });
  process.env['GNUPGHOME'] = home;
});
test.after(() => {
  spawnSync('gpgconf', ['--kill', 'all']);
  if (before === undefined) {
    delete process.env['GNUPGHOME'];
  } else {
    process.env['GNUPGHOME'] = before;
  }
  rmSync(dir, { recursive: true, force: true });
});

function gpg(...args: string[]): string {
  return execFileSync('gpg', ['--batch', '--quiet', '--pinentry-mode', 'loopback', '--passphrase', '', ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

/** A new key without a passphrase; its fingerprint. */
function newKey(name: string, expire = 'never'): string {
  gpg('--quick-generate-key', `${name} <${name}@example.org>`, 'ed25519', 'sign', expire);
  return /^fpr:+([0-9A-F]{40}):/m.exec(gpg('--with-colons', '--list-keys', `${name}@example.org`))?.[1] ?? '';
}

(able ? test : test.skip)('a good signature by a key of the ring, and nothing else', async () => {
  const source = join(dir, 'source');
  execFileSync('git', ['init', '-q', '-b', 'main', source]);
  const commit = (message: string, ...settings: string[]): string => {
    writeFileSync(join(source, 'file'), message);
    const git = (...args: string[]): string =>
      execFileSync('git', ['-C', source, '-c', 'user.name=t', '-c', 'user.email=t@example.org', ...settings, ...args], {
        encoding: 'utf8',
      });
    git('add', '.');
    git('commit', '-q', '-m', message);
    return git('rev-parse', 'HEAD').trim();
  };
  const signing = (key: string): string[] => ['-c', `user.signingKey=${key}`, '-c', 'commit.gpgSign=true'];
  const known = newKey('known');
  const stranger = newKey('stranger');
  const good = commit('good', ...signing(known));
  const unsigned = commit('unsigned');
  const strange = commit('strange', ...signing(stranger));
  // What was signed says something else by now: the same signature on another tree.
  const raw = execFileSync('git', ['-C', source, 'cat-file', 'commit', good], { encoding: 'utf8' });
  const forged = execFileSync('git', ['-C', source, 'hash-object', '-t', 'commit', '-w', '--stdin'], {
    input: raw.replace('\n\ngood', '\n\nevil'),
    encoding: 'utf8',
  }).trim();
  execFileSync('git', ['-C', source, 'branch', 'forged', forged]);
  gpg('--yes', '--delete-secret-and-public-key', stranger);

  const mirror = new GitMirror(join(dir, 'mirror'), source, undefined);
  mkdirSync(join(dir, 'mirror'), { mode: 0o700 });
  const { commit: head } = await mirror.fetch('main');
  assert.is(head, strange);
  assert.is((await mirror.fetch('forged')).commit, forged);
  const verdicts = await Promise.all([good, unsigned, strange, forged].map((c) => mirror.verify(c)));
  assert.equal(
    verdicts.map((v) => v.good),
    [true, false, false, false],
  );
  assert.match(verdicts[0]?.text ?? '', /Signature made|Good signature/);
  assert.match(verdicts[1]?.text ?? '', 'no signature');
  assert.match(verdicts[2]?.text ?? '', /No public key|Can't check/);
  assert.match(verdicts[3]?.text ?? '', /BAD signature/);
});

test.run();
