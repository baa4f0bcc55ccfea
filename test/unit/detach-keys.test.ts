/** The keys of --detach-keys as bytes. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { detachKeys } from '../../src/cli/detach-keys.ts';

test('characters and controls, as Docker writes them', () => {
  assert.equal([...detachKeys()], [16, 17]);
  assert.equal([...detachKeys('ctrl-a')], [1]);
  assert.equal([...detachKeys('ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_')], [0, 27, 28, 29, 30, 31]);
  assert.equal([...detachKeys('a,Z,~')], [97, 90, 126]);
  assert.equal([...detachKeys('')], []);
});

test('what is no key is refused', () => {
  for (const text of ['ctrl-1', 'ctrl-A', 'ab', 'a,,b', 'ctrl-', 'é', '\n']) {
    assert.throws(() => detachKeys(text), /is not a key/, text);
  }
  assert.throws(() => detachKeys(Array(17).fill('a').join(',')), /up to 16 keys/);
});

test.run();
