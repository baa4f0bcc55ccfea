/** What stacks become in a pure v1 view of this machine. */
import { test } from 'uvu';
import { testPureV1 } from '../support/views.ts';

testPureV1('stacks', 'change', 'pod', 'drift-knobs', 'adopt');

test.run();
