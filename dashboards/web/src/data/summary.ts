// Figures over all alerts: tallies per priority, worst alert per zone, alarms in the last ten minutes.
import type { Alert, Point, Priority } from '../api/types';
import type { Item } from './order';
import { isUnacknowledged, zoneKey } from './order';

export const FLOOD_COUNT = 10;
export const FLOOD_WINDOW_MS = 600_000;

export type Tally = [number, number, number, number];

export interface ZoneSummary {
  site: string;
  zone: string;
  points: number;
  worst: Priority | null;
  unacknowledged: number;
  total: number;
}

/** Count unacknowledged alerts per priority. */
export function tally(items: readonly Item[]): Tally {
  const counts: Tally = [0, 0, 0, 0];
  for (const { alert } of items) if (isUnacknowledged(alert)) counts[alert.priority - 1]! += 1;
  return counts;
}

/** Sum up every zone that has a point or an alert, in order of site and zone. */
export function zones(points: Iterable<Point>, items: readonly Item[]): ZoneSummary[] {
  const found = new Map<string, ZoneSummary>();
  const at = (key: string, { site, zone }: { site: string; zone: string }): ZoneSummary => {
    let summary = found.get(key);
    if (!summary) found.set(key, (summary = { site, zone, points: 0, worst: null, unacknowledged: 0, total: 0 }));
    return summary;
  };
  for (const point of points) at(zoneKey(point.site, point.zone), point).points += 1;
  for (const { alert, zone } of items) {
    const summary = at(zone, alert);
    summary.total += 1;
    if (isUnacknowledged(alert)) summary.unacknowledged += 1;
    // The colour follows what is wrong now; what has returned to normal and only awaits a hand weighs as well.
    if (summary.worst === null || alert.priority < summary.worst) summary.worst = alert.priority;
  }
  return [...found.values()].sort((a, b) => order(a.site, b.site) || order(a.zone, b.zone));
}

const collator = new Intl.Collator('en', { numeric: true });
const order = collator.compare;

/** Alarms raised in the last ten minutes, those that have ended since among them. */
export class AlarmRate {
  private raised = new Map<string, number>();

  add(alert: Alert, raisedMs: number): void {
    if (!alert.retrospective) this.raised.set(alert.id, raisedMs);
  }

  /** How many in the ten minutes before `nowMs`. */
  count(nowMs: number): number {
    for (const [id, at] of this.raised) if (at <= nowMs - FLOOD_WINDOW_MS) this.raised.delete(id);
    return this.raised.size;
  }
}
