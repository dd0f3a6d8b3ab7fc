// Tests of meters: which meters there are, what a person may ask for, and which part of the ledger is read.
import type { AnnounceAsked, Point } from '../api/types';
import type { Key } from '../i18n/en';

/** How long an announced test may be, in minutes; the service takes twelve hours at most. */
export const WINDOWS_MIN = [15, 30, 60, 120, 240, 480, 720] as const;
/** Periods of the ledger in days; 0 is everything. */
export const PERIODS_D = [7, 31, 92, 366, 0] as const;

const isMeter = (point: Point): boolean => point.quantity === 'methane' && point.unit === '% CH4' && point.zone !== '';

/** The meters that can be told to be tested, and the zones they are in. */
export function meters(points: Iterable<Point>): { places: string[]; zones: string[] } {
  const found = [...points].filter(isMeter);
  const sorted = (names: string[]) => [...new Set(names)].sort((a, b) => a.localeCompare(b));
  return { places: sorted(found.map((p) => p.place)), zones: sorted(found.map((p) => p.zone)) };
}

export interface Filled {
  /** "place NAME" or "zone NAME"; empty: nothing chosen. */
  where: string;
  minutes: number;
  gas: string;
  comment: string;
}

/** What is asked of the service, or the key of what is missing; a comma is a decimal point, too. */
export function announcement(filled: Filled, nowMs: number): AnnounceAsked | Key {
  const [kind, name] = [filled.where.slice(0, filled.where.indexOf(' ')), filled.where.slice(filled.where.indexOf(' ') + 1)];
  if (kind !== 'place' && kind !== 'zone') return 'testWhereNeeded';
  if (!Number.isFinite(nowMs)) return 'disabledLost';
  const gas = filled.gas.trim() === '' ? null : Number(filled.gas.trim().replace(',', '.'));
  if (gas !== null && !(gas > 0 && gas <= 60)) return 'testGasWrong';
  const to = new Date(nowMs + filled.minutes * 60_000).toISOString();
  return { [kind]: name, to, gas_pct: gas, comment: filled.comment.trim() };
}

/** The query of a page of the ledger. */
export function ledgerQuery(asked: { place: string; days: number; nowMs: number; cursor: string | null }): string {
  const query = new URLSearchParams({ limit: '100' });
  if (asked.place) query.set('place', asked.place);
  if (asked.days && Number.isFinite(asked.nowMs)) query.set('from', new Date(asked.nowMs - asked.days * 86_400_000).toISOString());
  if (asked.cursor) query.set('cursor', asked.cursor);
  return query.toString();
}
