/** Drift and what is told in a pure v1 view of this machine. */
import { test } from 'uvu';
import { testPureV1 } from '../support/views.ts';

testPureV1('drift', 'control', 'events', 'stats', 'traps-cgroup');

test.run();
