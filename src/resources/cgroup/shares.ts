/**
 * cpu.weight of v2 against cpu.shares of v1, by the formula the OCI runtimes agreed on: weight 100 is 1024 shares.
 *
 * weight = ceil(10^((l*l + 125*l)/612 - 7/34)), l = log2(shares). See opencontainers/cgroups, ConvertCPUSharesToCgroupV2Value.
 */

const SHARES_MIN = 2;
const SHARES_MAX = 262_144;

/** Shares for a weight of 1 to 10000: the inverse of the formula, moved up to where it converts back to that weight. */
export function weightToShares(weight: string): string {
  const target = Number(weight);
  const l = (-125 + Math.sqrt(125 * 125 + 4 * 612 * (Math.log10(target) + 7 / 34))) / 2;
  const nearest = Math.round(2 ** l);
  if (convert(nearest) === target) {
    return String(Math.min(SHARES_MAX, Math.max(SHARES_MIN, nearest)));
  }
  let shares = Math.min(SHARES_MAX, Math.max(SHARES_MIN, Math.floor(2 ** l) - 2));
  while (shares < SHARES_MAX && convert(shares) < target) {
    shares++;
  }
  return String(shares);
}

/** Weight of cpu.shares text, undefined when it is no number. */
export function sharesToWeight(shares: string): string | undefined {
  return /^\d+$/.test(shares) ? String(convert(Number(shares))) : undefined;
}

function convert(shares: number): number {
  if (shares <= SHARES_MIN) {
    return 1;
  }
  if (shares >= SHARES_MAX) {
    return 10_000;
  }
  const l = Math.log2(shares);
  return Math.ceil(10 ** ((l * l + 125 * l) / 612 - 7 / 34));
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
