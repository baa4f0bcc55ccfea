/** Texts of /proc that hold names which people choose. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { overlayLowers, parseMountInfo, parseStatus, superOptions } from '../../src/kernel/proc.ts';

test('lower directories of an overlay, however the kernel tells them', () => {
  const lowers = (options: string): string[] =>
    parseMountInfo(`31 30 0:40 / / rw - overlay overlay ${options}`).flatMap(overlayLowers);
  assert.equal(lowers('ro,lowerdir=/a:/b'), ['/a', '/b']);
  // As the kernel wrote them for directories 'a:b', 'c\d' and 'e f,g': seq_show_option escapes the backslashes again.
  assert.equal(lowers('rw,lowerdir=/a\\134:b:/c\\134\\134d:/e\\040f\\054g,upperdir=/u'), ['/a:b', '/c\\d', '/e f,g']);
  assert.equal(lowers('rw,lowerdir+=/a:b,lowerdir+=/c\\134d,upperdir=/u'), ['/a:b', '/c\\d']);
  assert.equal(lowers('rw,lowerdir=/a::/data'), ['/a', '/data'], 'with layers of data alone');
  assert.equal(lowers('rw,lowerdir=0:1'), ['0', '1']);
  const [mount] = parseMountInfo('31 30 0:40 / / rw - overlay overlay rw,upperdir=/u\\054v');
  assert.equal(mount === undefined ? [] : superOptions(mount, 'upperdir'), ['/u,v']);
});

test('tables that differ in their numbers alone keep their own, and broken lines are left out', () => {
  const table = (id: number): string =>
    `${id} 1 0:${id} / / rw,relatime shared:7 - tmpfs tmp rw\n${id + 1} ${id} 0:9 / /a\\040b ro - proc proc rw\nnonsense\n5 4 0:1 / /x rw\n`;
  for (const id of [10, 20]) {
    const [root, below, ...more] = parseMountInfo(table(id));
    assert.equal([root?.id, root?.parent, root?.device, root?.optional], [id, 1, `0:${id}`, ['shared:7']]);
    assert.equal([below?.id, below?.parent, below?.target, below?.options], [id + 1, id, '/a b', ['ro']]);
    assert.equal(more, []);
  }
});

test('a line of a status is found by its whole key, the first and the last too', () => {
  const status = parseStatus('Name:\tUid:\\nUid:\nUmask:\t0022\nNSpid:\t7\t1\nUid:\t1\t2\t3\t4\nSeccomp:\t2');
  assert.is(status.get('Name'), 'Uid:\\nUid:');
  assert.is(status.get('Uid'), '1\t2\t3\t4');
  assert.is(status.get('Seccomp'), '2');
  assert.is(status.get('id'), undefined);
  assert.is(status.get('Seccomp_filters'), undefined);
  assert.is(parseStatus('').get('Name'), undefined);
});

test.run();
