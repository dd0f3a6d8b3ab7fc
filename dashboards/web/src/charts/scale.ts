// The vertical scale of a trend: the data, and the nearest limit on either side, so that the distance to it is seen.
import type { PointLimit } from '../api/types';

/** Detectors whose statistic has the unit of the reading itself; only their limits belong on the chart. */
const SAME_UNIT = new Set(['value', 'mean-15min', 'twa-8h', 'shift-mean']);

export const isUpper = (limit: PointLimit): boolean => !/below|less|<|≤/i.test(limit.comparison);

/** Limits that can be drawn, each threshold once, the verified one where two coincide. */
export function drawnLimits(limits: readonly PointLimit[]): PointLimit[] {
  const found = new Map<number, PointLimit>();
  for (const limit of limits) {
    if (!SAME_UNIT.has(limit.detector)) continue;
    const known = found.get(limit.threshold);
    if (!known || (!known.verified && limit.verified)) found.set(limit.threshold, limit);
  }
  return [...found.values()];
}

/** The innermost limit on either side of the usual: the first one that will be met. */
export function nearest(limits: readonly PointLimit[]): PointLimit[] {
  const upper = limits.filter(isUpper).sort((a, b) => a.threshold - b.threshold)[0];
  const lower = limits.filter((l) => !isUpper(l)).sort((a, b) => b.threshold - a.threshold)[0];
  return [upper, lower].filter((l) => l !== undefined);
}

const PADDING = 0.08;

/** [min, max] that holds every value and the nearest limits, with a little air; never of zero height. */
export function verticalRange(
  low: readonly (number | null | undefined)[],
  high: readonly (number | null | undefined)[],
  limits: readonly PointLimit[],
): [number, number] {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const v of low) if (v != null && v < min) min = v;
  for (const v of high) if (v != null && v > max) max = v;
  for (const { threshold } of nearest(limits)) {
    min = Math.min(min, threshold);
    max = Math.max(max, threshold);
  }
  if (min > max) return [0, 1];
  const span = max - min || Math.abs(max) || 1;
  return [min - span * PADDING, max + span * PADDING];
}
