// Which points are drawn: the pinned ones, then the points in alert, then the rest of the worst zones.
import type { Point } from '../api/types';
import { zoneKey, type Item } from './order';
import type { Filter } from './view';

const QUIET = 9;

/** Choose up to `n` points, worst first; the same input gives the same choice on every screen. */
export function chooseTrends(
  points: Iterable<Point>,
  items: readonly Item[],
  filter: Pick<Filter, 'site' | 'zone'>,
  pinned: ReadonlySet<string>,
  n: number,
): Point[] {
  const byPlace = new Map<string, number>();
  const byZone = new Map<string, number>();
  // Items are in order of urgency: the first one of a place or a zone is its worst.
  for (const { alert, rank, zone } of items) {
    const weight = rank * 4 + alert.priority;
    if (!byPlace.has(alert.place)) byPlace.set(alert.place, weight);
    if (!byZone.has(zone)) byZone.set(zone, weight);
  }
  const keyed = [...points]
    .filter((p) => filter.zone === null || (p.zone === filter.zone && p.site === filter.site) || pinned.has(p.place))
    .map((point) => ({
      point,
      pin: pinned.has(point.place) ? 0 : 1,
      own: byPlace.get(point.place) ?? QUIET * 4,
      zone: byZone.get(zoneKey(point.site, point.zone)) ?? QUIET * 4,
      limits: point.limits.length > 0 ? 0 : 1,
    }));
  keyed.sort(
    (a, b) => a.pin - b.pin || a.own - b.own || a.zone - b.zone || a.limits - b.limits || a.point.id - b.point.id,
  );
  return keyed.slice(0, n).map(({ point }) => point);
}
