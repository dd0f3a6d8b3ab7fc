// The newest reading of every point, and which of them are too old to be believed.
import type { Latest, Point, ReadingFrame } from '../api/types';

export interface Reading {
  tsMs: number;
  value: number | null;
  /** OPC UA: below 64 good, below 128 uncertain, else bad. */
  quality: number;
}

const DEFAULT_STALE_MS = 60_000;
const SLACK_MS = 3000;

/** How old a reading of this point may be before it is shown as stale. */
export function staleAfterMs(point: Point): number {
  return point.interval_s > 0 ? 2 * point.interval_s * 1000 + SLACK_MS : DEFAULT_STALE_MS;
}

export class Readings {
  private newest = new Map<number, Reading>();

  get(point: number): Reading | undefined {
    return this.newest.get(point);
  }

  snapshot(items: readonly Latest[]): void {
    for (const { point, time, value, quality } of items) this.put(point, { tsMs: Date.parse(time), value, quality });
  }

  frame(frame: ReadingFrame): void {
    for (let i = 0; i < frame.point.length; i++) {
      this.put(frame.point[i]!, { tsMs: frame.ts_ms[i]!, value: frame.value[i] ?? null, quality: frame.quality[i] ?? 0 });
    }
  }

  /** Whether the point's newest reading is older than the point's own interval allows. */
  isStale(point: Point, serverNowMs: number): boolean {
    const reading = this.newest.get(point.id);
    return !reading || serverNowMs - reading.tsMs > staleAfterMs(point);
  }

  private put(point: number, reading: Reading): void {
    const known = this.newest.get(point);
    // Readings sent again after an outage are older than what is shown.
    if (!known || reading.tsMs >= known.tsMs) this.newest.set(point, reading);
  }
}
