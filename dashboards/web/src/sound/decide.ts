// What should sound now. Only the most urgent thing sounds; silence holds until something new happens.
import type { LinkState } from '../data/link';
import type { Item } from '../data/order';
import type { Sounding } from './patterns';

/** What the operator has silenced, and what has had its single pip. */
export class Silence {
  private quiet = new Set<string>();
  private heard = new Set<string>();
  private linkQuiet = false;

  /** Decide what sounds; `items` are in order of urgency. */
  sounding(items: readonly Item[], link: LinkState): Exclude<Sounding, 'test'> | null {
    const lost = link === 'lost' || link === 'late';
    if (!lost) this.linkQuiet = false;
    let worst = 5;
    if (this.quiet.size > 0) this.forget(items);
    for (const one of items) {
      if (one.rank > 0) break; // only what nobody has acknowledged, and it stands first
      if (!this.sounds(one)) continue;
      worst = one.alert.priority; // in order of priority: the first is the worst
      break;
    }
    if (worst === 1) return 'p1';
    if (lost && !this.linkQuiet) return 'link';
    if (worst === 2) return 'p2';
    return worst === 3 ? 'p3' : null;
  }

  /** Stop what sounds now; an alarm that comes later sounds again. */
  silence(items: readonly Item[], link: LinkState): void {
    this.quiet = new Set(items.filter((one) => one.rank === 0).map(key));
    this.linkQuiet = link === 'lost' || link === 'late';
  }

  /** Remember that the single pip of the medium alarms has sounded. */
  pipped(items: readonly Item[]): void {
    this.heard = new Set(items.filter((one) => one.rank === 0 && one.alert.priority === 3).map(key));
  }

  /** An alert that returned to normal and becomes active again sounds again. */
  private forget(items: readonly Item[]): void {
    this.quiet = new Set(items.filter((one) => one.rank === 0).map(key).filter((id) => this.quiet.has(id)));
  }

  private sounds(one: Item): boolean {
    const { priority, paged, retrospective } = one.alert;
    if (priority === 4 || !paged || retrospective || (this.quiet.size > 0 && this.quiet.has(key(one)))) return false;
    return priority !== 3 || this.heard.size === 0 || !this.heard.has(key(one));
  }
}

/** An alert that came to a higher priority is new to the ear. */
const key = ({ alert }: Item): string => `${alert.id} ${alert.priority}`;
