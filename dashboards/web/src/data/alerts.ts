// All alerts that are not normal, always in order. Snapshot pages and pushed events may come in any order.
import type { Alert, AlertEvent } from '../api/types';
import { compare, item, place, type Item } from './order';

export class AlertTable {
  private items = new Map<string, Item>();
  private sortedItems: Item[] = [];
  /** Journal rows of alerts that changed while a snapshot is being read, the ended ones too. */
  private touched: Map<string, number> | null = null;
  private staged = new Map<string, Item>();

  get sorted(): readonly Item[] {
    return this.sortedItems;
  }

  get size(): number {
    return this.sortedItems.length;
  }

  get(id: string): Alert | undefined {
    return this.items.get(id)?.alert;
  }

  /** Begin to read everything anew; pushed events go on being applied. */
  beginSnapshot(): void {
    this.touched = new Map();
    this.staged = new Map();
  }

  /** Take one page of the snapshot. */
  page(alerts: readonly Alert[]): void {
    for (const alert of alerts) if (alert.state !== 'normal') this.staged.set(alert.id, item(alert));
  }

  /** Replace the table by the snapshot, except where a pushed event was newer. */
  endSnapshot(): void {
    for (const [id, row] of this.touched ?? []) {
      const staged = this.staged.get(id);
      if (staged && staged.alert.row > row) continue;
      const pushed = this.items.get(id);
      if (pushed) this.staged.set(id, pushed);
      else this.staged.delete(id);
    }
    this.items = this.staged;
    this.sortedItems = [...this.items.values()].sort(compare);
    this.touched = null;
    this.staged = new Map();
  }

  /** Take one event or the answer to a command; false when a newer row is already known. */
  apply(alert: Alert): boolean {
    const known = this.items.get(alert.id);
    const row = Math.max(known?.alert.row ?? -1, this.touched?.get(alert.id) ?? -1);
    if (alert.row < row) return false;
    this.touched?.set(alert.id, alert.row);
    if (known) this.sortedItems.splice(place(this.sortedItems, known), 1);
    if (alert.state === 'normal') return this.items.delete(alert.id);
    const fresh = item(alert);
    this.items.set(alert.id, fresh);
    this.sortedItems.splice(place(this.sortedItems, fresh), 0, fresh);
    return true;
  }

  event(event: AlertEvent): boolean {
    // The alert inside an event carries the row of the event itself; older services leave it 0.
    return this.apply(event.alert.row >= event.row ? event.alert : { ...event.alert, row: event.row });
  }
}
