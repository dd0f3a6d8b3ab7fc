// One server-sent event stream that never gives up: a closed EventSource is opened anew with back-off and ?since=.
import type { Frame } from './types';

export type FeedMessage = { kind: 'frame'; frame: Frame } | { kind: 'open'; resumed: boolean } | { kind: 'lost' };

/** The part of EventSource that the feed uses, so that a test can play the server. */
export interface Source {
  readyState: number;
  onopen: ((event: Event) => void) | null;
  onerror: ((event: Event) => void) | null;
  addEventListener(name: string, listener: (event: MessageEvent<string>) => void): void;
  close(): void;
}

export interface FeedDeps {
  open: (url: string) => Source;
  later: (run: () => void, ms: number) => unknown;
  cancel: (timer: unknown) => void;
  now: () => number;
}

const EVENTS = ['alert', 'reading', 'state', 'ping', 'reset'] as const;
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 15_000;
const CLOSED = 2;
/** The service pings every second; a silent socket may hang for minutes before it errs, so it is given up. */
const SILENT_MS = 12_000;

export class Feed {
  private source: Source | null = null;
  private timer: unknown = null;
  private wait = FIRST_WAIT_MS;
  private since = '';
  private heard = 0;
  private ended = false;

  constructor(
    private readonly url: string,
    private readonly tell: (message: FeedMessage) => void,
    private readonly deps: FeedDeps,
  ) {}

  /** Open the stream; a later call does nothing. */
  start(): void {
    if (this.source || this.timer !== null || this.ended) return;
    this.timer = null;
    const source = this.deps.open(this.since ? `${this.url}?since=${encodeURIComponent(this.since)}` : this.url);
    this.source = source;
    this.heard = this.deps.now();
    source.onopen = () => {
      this.wait = FIRST_WAIT_MS;
      // Without a row to go on from, what happened meanwhile is missing.
      this.tell({ kind: 'open', resumed: this.since !== '' });
    };
    source.onerror = () => this.failed(source);
    for (const event of EVENTS) source.addEventListener(event, (message) => this.take(event, message));
  }

  /** Give up a stream that went silent without an error; call it every second. */
  check(): void {
    if (!this.source || this.deps.now() - this.heard < SILENT_MS) return;
    this.tell({ kind: 'lost' });
    this.reopen();
  }

  /** Close for good. */
  stop(): void {
    this.ended = true;
    this.source?.close();
    this.source = null;
    if (this.timer !== null) this.deps.cancel(this.timer);
    this.timer = null;
  }

  private take(event: Frame['event'], message: MessageEvent<string>): void {
    this.heard = this.deps.now();
    let data: unknown;
    try {
      data = JSON.parse(message.data || '{}');
    } catch {
      return; // A frame cut short by a lost connection; the stream is read again from the last row.
    }
    // After a reset the old row means nothing, unless the reset brings a new one.
    if (event === 'reset' && message.lastEventId === this.since) this.since = '';
    else if (message.lastEventId) this.since = message.lastEventId;
    this.tell({ kind: 'frame', frame: { event, id: message.lastEventId, data } as Frame });
  }

  private failed(source: Source): void {
    this.tell({ kind: 'lost' });
    // A dropped socket is taken up again by EventSource itself; after an HTTP error it stays closed for good.
    if (source.readyState === CLOSED && source === this.source) this.reopen();
  }

  private reopen(): void {
    this.source?.close();
    this.source = null;
    this.timer = this.deps.later(() => {
      this.timer = null;
      this.start();
    }, this.wait);
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS);
  }
}

/** A feed on the browser's own EventSource and timers. */
export function browserFeed(url: string, tell: (message: FeedMessage) => void): Feed {
  return new Feed(url, tell, {
    open: (address) => new EventSource(address),
    later: (run, ms) => setTimeout(run, ms),
    cancel: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
    now: () => performance.now(),
  });
}
