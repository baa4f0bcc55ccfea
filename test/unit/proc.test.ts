/** Texts of /proc that hold names which people choose. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { overlayLowers, parseMountInfo, superOptions } from '../../src/kernel/proc.ts';

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

test.run();
