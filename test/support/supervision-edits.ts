/** Edits by hand of what a supervisor has been told. */
import { loadNative } from '../../src/kernel/native.ts';
import { healthText } from '../../src/kernel/health-text.ts';
import { HEALTH_XATTR } from '../../src/resources/label.ts';
import { layout, type Sandbox } from './sandbox.ts';

interface World {
  readonly box: Sandbox;
  readonly path: string;
}

const RECORDED = 'the kernel does not show it: compared with the record on the object';

export const SUPERVISION_EDITS: Readonly<Record<string, ((world: World) => void) | string>> = {
  healthcheck: ({ box, path }) => {
    const text = healthText({
      test: { kind: 'file', path: '/' },
      interval: 60_000,
      timeout: 1000,
      retries: 1,
      startPeriod: 0,
      startInterval: 1000,
      action: 'report',
    });
    loadNative().setXattr(box.cgroupDir(layout() === 'v1' ? 'freezer' : 'unified', path), HEALTH_XATTR, text);
  },
  health: 'made unhealthy for real in health.test.ts',
  hooks: RECORDED,
  tty: RECORDED,
  stdin: RECORDED,
  init: RECORDED,
};
