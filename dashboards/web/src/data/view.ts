// What the list shows: the filtered order, frozen while the operator's hand is on it.
import type { Alert } from '../api/types';
import type { AlertTable } from './alerts';
import type { Item } from './order';

export interface Filter {
  text: string;
  /** Show this priority and the more severe ones. */
  priority: number;
  site: string;
  zone: string | null;
}

export const NO_FILTER: Filter = { text: '', priority: 4, site: '', zone: null };

export const isFiltered = (f: Filter): boolean => f.text !== '' || f.priority < 4 || f.zone !== null;

/** Whether an item passes the filter. */
export function passes(one: Item, f: Filter): boolean {
  const { alert } = one;
  if (alert.priority > f.priority) return false;
  if (f.zone !== null && (alert.zone !== f.zone || alert.site !== f.site)) return false;
  return f.text === '' || one.text.includes(f.text.toLowerCase());
}

/** One line of the list; `ended` when the alert became normal while the list stood still. */
export type Line = Pick<Item, 'alert' | 'raisedMs'> & { ended?: boolean };

/**
 * Keeps the lines of the list.
 *
 * While it is frozen no line moves, none comes and none goes: contents change in place, ended alerts stay visible
 * as such, and the new ones are counted in `pending` until the hand is taken away.
 */
export class AlertView {
  lines: readonly Line[] = [];
  pending: Alert[] = [];
  filter: Filter = NO_FILTER;
  private frozen = false;

  setFilter(table: AlertTable, change: Partial<Filter>): void {
    this.filter = { ...this.filter, ...change };
    this.thaw(table);
  }

  freeze(): void {
    this.frozen = true;
  }

  /** Let the order follow the table again. */
  thaw(table: AlertTable): void {
    this.frozen = false;
    this.rebuild(table);
  }

  get isFrozen(): boolean {
    return this.frozen;
  }

  /** Bring the lines up to date with the table. */
  rebuild(table: AlertTable): void {
    const { filter } = this;
    const matching = isFiltered(filter) ? table.sorted.filter((one) => passes(one, filter)) : [...table.sorted];
    if (!this.frozen) {
      this.lines = matching;
      this.pending = [];
      return;
    }
    const shown = new Set<string>();
    this.lines = this.lines.map((line) => {
      shown.add(line.alert.id);
      const now = table.get(line.alert.id);
      if (now === line.alert) return line;
      return { alert: now ?? line.alert, raisedMs: line.raisedMs, ended: now === undefined };
    });
    this.pending = matching.filter((one) => !shown.has(one.alert.id)).map((one) => one.alert);
  }
}
