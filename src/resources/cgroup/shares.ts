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
