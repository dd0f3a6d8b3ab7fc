// The one order of the alert list: unacknowledged first, then priority, then the newest.
import type { Alert } from '../api/types';

const RANK = { unacknowledged: 0, 'returned-unacknowledged': 1, acknowledged: 2, normal: 3 } as const;

export const zoneKey = (site: string, zone: string): string => `${site}\u0000${zone}`;

/** An alert with the numbers that are asked for often, parsed once. */
export interface Item {
  readonly alert: Alert;
  readonly raisedMs: number;
  readonly rank: number;
  /** Site and zone as one key. */
  readonly zone: string;
  /** Everything the text filter looks at, in lower case. */
  readonly text: string;
}

/** Parse an alert for the list. */
export function item(alert: Alert): Item {
  const { message: m } = alert;
  return {
    alert,
    raisedMs: Date.parse(alert.raised),
    rank: RANK[alert.state],
    zone: zoneKey(alert.site, alert.zone),
    text: `${alert.place} ${alert.zone} ${alert.rule} ${alert.quantity} ${m.kk} ${m.ru} ${m.en}`.toLowerCase(),
  };
}

/** Compare two items; 0 only for the same alert, so that the order is the same on every screen. */
export function compare(a: Item, b: Item): number {
  return (
    a.rank - b.rank ||
    a.alert.priority - b.alert.priority ||
    b.raisedMs - a.raisedMs ||
    (a.alert.id < b.alert.id ? -1 : a.alert.id > b.alert.id ? 1 : 0)
  );
}

/** Where `wanted` stands, or would stand, in a sorted list. */
export function place(sorted: readonly Item[], wanted: Item): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(sorted[middle] as Item, wanted) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

export const isUnacknowledged = (alert: Alert): boolean =>
  alert.state === 'unacknowledged' || alert.state === 'returned-unacknowledged';
