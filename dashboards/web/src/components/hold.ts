// Holds the order of the list while the operator's hand is on it, so that no row moves under the pointer.

/** A pointer that was left lying on the list must not hide new alarms for ever. */
const IDLE_MS = 30_000;

export class Hold {
  private held = false;
  private pointer = false;
  private armed = true;
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly tell: (held: boolean) => void) {}

  /** The pointer is over the list, or has left it. */
  over(pointer: boolean): void {
    this.pointer = pointer;
    if (pointer) this.hand();
    else this.release();
  }

  /** The operator did something with the list: hold its order. */
  hand(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = setTimeout(() => this.set(false), IDLE_MS);
    this.set(true);
  }

  /** Let go, unless the pointer is still there. */
  release(): void {
    if (!this.pointer) this.set(false);
  }

  /** Whether a press falls on rows that have stood still; a press on a list that was moving only stops it. */
  isArmed(): boolean {
    this.armed = this.held;
    this.hand();
    return this.armed;
  }

  /** Whether the click of that press may act. */
  takeClick(): boolean {
    const armed = this.armed;
    this.armed = true;
    return armed;
  }

  end(): void {
    if (this.timer !== null) clearTimeout(this.timer);
  }

  private set(held: boolean): void {
    if (!held && this.timer !== null) {
      clearTimeout(this.timer);
      this.timer = null;
    }
    if (this.held === held) return;
    this.held = held;
    this.tell(held);
  }
}
