/** Whether containers can be checkpointed here: by criu's own check, which starts a process or two. */
import { checkCriu } from '../kernel/criu.ts';
import type { Finding } from './examine.ts';

export async function checkpointFinding(): Promise<Finding> {
  const criu = await checkCriu();
  return criu.works
    ? { what: 'checkpoint', status: 'ok', detail: `criu check: ${criu.path} works here`, essential: false }
    : { what: 'checkpoint', status: 'limited', detail: criu.reason, essential: false, remedy: criu.remedy };
}
