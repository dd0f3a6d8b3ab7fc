// What time it is at the service, and how old the newest frame is by that time.

/** The offset may rise this much per ms: two clocks drift, and a short network path may become a longer one. */
const DRIFT = 2e-4;
/** An HTTP date has whole seconds and may be cached for one more. */
const DATE_SLACK_MS = 2000;

/**
 * Judges freshness by the server time inside the frames, never by arrival alone.
 *
 * The smallest difference seen between a frame's arrival (this computer's monotonic clock) and its server time is
 * the clock offset plus the shortest way. From it follows the server's present time, and from that the age of the
 * newest frame: it grows when frames stop, and it is large at once when frames arrive late from a buffer.
 */
export class ServerClock {
  private offset = Number.POSITIVE_INFINITY;
  private checked = 0;
  private newest = Number.NEGATIVE_INFINITY;

  /** Take a frame with server time `serverMs` that arrived at monotonic `mono`. */
  frame(mono: number, serverMs: number): void {
    if (!Number.isFinite(serverMs)) return;
    this.lower(mono, serverMs);
    this.newest = Math.max(this.newest, serverMs);
  }

  /** Take the date of an HTTP answer: an upper bound of the offset, and a judge when the server's clock was set back. */
  answer(asked: number, came: number, dateMs: number): void {
    const lowest = asked - dateMs - DATE_SLACK_MS;
    if (this.offset < lowest) {
      this.offset = came - dateMs;
      this.checked = came;
      this.newest = Math.min(this.newest, dateMs + DATE_SLACK_MS);
    } else {
      this.lower(came, dateMs);
    }
  }

  /** The server's time now, in ms; NaN before the first frame. */
  now(mono: number): number {
    return Number.isFinite(this.offset) ? mono - this.drifted(mono) : Number.NaN;
  }

  /** Age of the newest frame in ms by server time; Infinity before the first frame. */
  age(mono: number): number {
    if (!Number.isFinite(this.newest)) return Number.POSITIVE_INFINITY;
    return Math.max(0, this.now(mono) - this.newest);
  }

  private drifted(mono: number): number {
    return this.offset + Math.max(0, mono - this.checked) * DRIFT;
  }

  private lower(mono: number, serverMs: number): void {
    const before = this.drifted(mono);
    const candidate = mono - serverMs;
    this.offset = Number.isFinite(before) ? Math.min(before, candidate) : candidate;
    this.checked = mono;
  }
}
