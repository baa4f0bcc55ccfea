/** Writing claims (resources/claims.ts) on a cgroup; the stack's lock keeps others out who use tsbox for it. */
import { TsboxError } from '../../errors.ts';
import { CLAIMS_XATTR, parseClaims, type Claims } from '../../resources/claims.ts';
import type { Step } from '../../resources/step.ts';
import { primaryDirectory, type ExecutionContext } from '../context.ts';

/** @throws TsboxError TSB3001 where something else stands in their place */
export function claimsOn(context: ExecutionContext, path: string): Claims {
  const directory = primaryDirectory(context, path);
  const text = context.kernel.getXattrs([directory], CLAIMS_XATTR)[0];
  const claims = typeof text === 'string' ? parseClaims(text) : {};
  if (claims === undefined) {
    throw new TsboxError('TSB3001', `${CLAIMS_XATTR} of ${directory} is not a map of attributes to managers`, {
      subject: directory,
      hint: `setfattr -x ${CLAIMS_XATTR} ${directory} removes it`,
    });
  }
  return claims;
}

export function writeClaims(context: ExecutionContext, path: string, claims: Claims): void {
  const directory = primaryDirectory(context, path);
  if (Object.keys(claims).length > 0) {
    context.kernel.setXattr(directory, CLAIMS_XATTR, JSON.stringify(claims));
  } else if (typeof context.kernel.getXattrs([directory], CLAIMS_XATTR)[0] === 'string') {
    context.kernel.removeXattr(directory, CLAIMS_XATTR);
  }
}

/** What was written by an apply belongs to the stack again. */
export function dropClaims(context: ExecutionContext, step: Extract<Step, { op: 'claims-drop' }>): void {
  const kept = Object.entries(claimsOn(context, step.path)).filter(([field]) => !step.fields.includes(field));
  writeClaims(context, step.path, Object.fromEntries(kept));
}
