/**
 * cpu.weight of v2 against cpu.shares of v1: both are the scheduler's own weight of the group, in other units.
 *
 * The kernel takes cpu.shares as it is, and cpu.weight times 1024/100 (sched_weight_from_cgroup(), kernel/sched/sched.h),
 * so that 100 is 1024 and proportions stay what they are. docs/decisions/0009 says why not the OCI runtimes' curve.
 */

/** What the kernel takes for cpu.weight. */
const WEIGHT_MIN = 1;
const WEIGHT_MAX = 10_000;

/** Shares that give the same share of the processor as a weight of 1 to 10000. */
export function weightToShares(weight: string): string {
  return String(Math.round((Number(weight) * 1024) / 100));
}

/** Weight of cpu.shares text, within what cpu.weight takes; undefined when it is no number. */
export function sharesToWeight(shares: string): string | undefined {
  if (!/^\d+$/.test(shares)) {
    return undefined;
  }
  const weight = Math.round((Number(shares) * 100) / 1024);
  return String(Math.min(WEIGHT_MAX, Math.max(WEIGHT_MIN, weight)));
}

/** Weight of a task by nice value from -20, where nice 0 is 1024: kernel/sched/core.c, sched_prio_to_weight. */
const NICE_WEIGHTS = [
  88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991,
  1586, 1277, 1024, 820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87, 70, 56, 45, 36, 29, 23, 18, 15,
] as const;

/** cpu.shares for a nice value: v1 shares count as the scheduler's own task weights do. */
export function niceToShares(nice: string): string {
  return String(NICE_WEIGHTS[Number(nice) + 20] ?? 1024);
}

/** The nice value whose weight is nearest to cpu.shares text, as the kernel rounds for cpu.weight.nice. */
export function sharesToNice(shares: string): string | undefined {
  if (!/^\d+$/.test(shares)) {
    return undefined;
  }
  let best = 0;
  NICE_WEIGHTS.forEach((weight, i) => {
    if (Math.abs(weight - Number(shares)) < Math.abs((NICE_WEIGHTS[best] ?? 0) - Number(shares))) {
      best = i;
    }
  });
  return String(best - 20);
}
