/** Asking the policy of SELinux: /sys/fs/selinux/context checks a label that is written to it, and changes nothing. */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { errnoOf } from '../errors.ts';

const CONTEXT = '/sys/fs/selinux/context';
/** What the kernel calls everything before a policy is loaded. */
const NO_POLICY = 'kernel';

/** The label as the kernel itself writes it, or why there is none; 'not told' where nobody can be asked. */
export type PolicyAnswer = { readonly label: string } | 'unknown' | 'no policy' | 'not told';

/** What the policy makes of a label: 's0:c2,c1' is 's0:c1,c2' to it. */
export function policyAnswer(label: string): PolicyAnswer {
  let fd: number;
  try {
    fd = openSync(CONTEXT, 'r+');
  } catch {
    // selinuxfs is not mounted, or not ours to write; the kernel judges the label at the start of the program.
    return 'not told';
  }
  try {
    writeSync(fd, label);
    const answer = Buffer.alloc(4096);
    const text = answer.toString('utf8', 0, readSync(fd, answer, 0, answer.length, 0)).replace(/\0$/, '');
    return text === NO_POLICY ? 'no policy' : { label: text };
  } catch (error) {
    return errnoOf(error) === 'EINVAL' ? 'unknown' : 'not told';
  } finally {
    closeSync(fd);
  }
}
