// The last minutes of one point in equal time buckets: least, greatest and mean, so that no spike is hidden.
import type { Buckets } from '../api/types';

export const WINDOW_MS = 15 * 60_000;
const FINEST_MS = 5000;

/** Columns as uPlot takes them: seconds, then greatest, least and mean; null where there was no reading. */
export type Columns = [number[], (number | null)[], (number | null)[], (number | null)[]];

interface Bucket {
  low: number;
  high: number;
  sum: number;
  count: number;
}

export class History {
  private buckets = new Map<number, Bucket>();
  /** Counts changes, so that a chart redraws only when there is something new. */
  version = 0;
  readonly bucketMs: number;
  private readonly count: number;

  /** `intervalS` is the point's longest normal time between readings: a bucket holds at least one reading. */
  constructor(intervalS = 0) {
    this.bucketMs = Math.max(FINEST_MS, Math.ceil(intervalS * 2) * 1000);
    this.count = Math.max(2, Math.ceil(WINDOW_MS / this.bucketMs));
  }

  /** What to ask the service for: whole buckets that end after `nowMs`. */
  span(nowMs: number): { fromMs: number; toMs: number; buckets: number } {
    const last = Math.floor(nowMs / this.bucketMs);
    const { bucketMs, count } = this;
    return { fromMs: (last - count) * bucketMs, toMs: (last + 1) * bucketMs, buckets: count + 1 };
  }

  /** Merge what the service has stored. */
  load(stored: Buckets): void {
    stored.start.forEach((start, i) => {
      const [low, high, mean, count] = [stored.min[i], stored.max[i], stored.mean[i], stored.count[i] ?? 0];
      if (low == null || high == null || mean == null || count === 0) return;
      this.merge(Date.parse(start), { low, high, sum: mean * count, count });
    });
  }

  /** Add one live reading. */
  add(tsMs: number, value: number): void {
    this.merge(tsMs, { low: value, high: value, sum: value, count: 1 });
  }

  /** The window that ends at `nowMs`, every bucket of it, oldest first. */
  columns(nowMs: number): Columns {
    const last = Math.floor(nowMs / this.bucketMs);
    const out: Columns = [[], [], [], []];
    for (let key = last - this.count; key <= last; key++) {
      const bucket = this.buckets.get(key);
      out[0].push((key * this.bucketMs) / 1000);
      out[1].push(bucket ? bucket.high : null);
      out[2].push(bucket ? bucket.low : null);
      out[3].push(bucket ? bucket.sum / bucket.count : null);
    }
    return out;
  }

  private merge(tsMs: number, add: Bucket): void {
    const key = Math.floor(tsMs / this.bucketMs);
    const known = this.buckets.get(key);
    if (known) {
      known.low = Math.min(known.low, add.low);
      known.high = Math.max(known.high, add.high);
      known.sum += add.sum;
      known.count += add.count;
    } else {
      this.buckets.set(key, add);
      this.forget(key - 2 * this.count);
    }
    this.version += 1;
  }

  private forget(before: number): void {
    if (this.buckets.size <= 3 * this.count) return;
    for (const key of this.buckets.keys()) if (key < before) this.buckets.delete(key);
  }
}
