/** What is told of drifted items: when they come or change, and when they are over. */
import type { DriftItem } from '../../report/drift/model.ts';
import type { Happening } from '../daemon/happenings.ts';

export function driftHappening(stack: string, item: DriftItem): Happening {
  const { id, address, attribute, severity, declared, live, since, whom } = item;
  return {
    event: 'drift',
    stack,
    message: `${severity}: ${address} ${item.text}${byWhom(whom)}`,
    id,
    address,
    class: item.class,
    attribute,
    severity,
    declared,
    live,
    since,
    whom,
  };
}

export function endHappening(stack: string, { id, address, attribute, class: cls }: DriftItem): Happening {
  return { event: 'drift_ended', stack, message: `${address} ${attribute || cls}`, id, address, attribute };
}

function byWhom(whom: DriftItem['whom']): string {
  if (whom === null) {
    return '';
  }
  return whom.gone ? `, by process ${whom.pid}, which has ended` : `, by ${whom.comm ?? 'process'} (${whom.pid})`;
}
