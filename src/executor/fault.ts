/** A place where tests may end an apply abruptly, to prove that the next plan is right wherever it stopped. */

/**
 * Ends this process by SIGKILL when TSBOX_FAULT names this point: 'ADDRESS OP before|after', each part '*' for any,
 * optionally followed by ' N' for the N-th time the point is passed.
 */
export function faultPoint(address: string, op: string, moment: 'before' | 'after'): void {
  const wanted = process.env['TSBOX_FAULT'];
  if (wanted === undefined || wanted === '') {
    return;
  }
  const [wantedAddress, wantedOp, wantedMoment, count = '1'] = wanted.split(' ');
  const matches = (pattern: string | undefined, value: string): boolean => pattern === '*' || pattern === value;
  if (matches(wantedAddress, address) && matches(wantedOp, op) && matches(wantedMoment, moment)) {
    passed++;
    if (passed === Number(count)) {
      process.kill(process.pid, 'SIGKILL');
    }
  }
}

let passed = 0;
