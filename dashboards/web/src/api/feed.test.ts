import { describe, expect, it } from 'vitest';
import { Feed, type FeedMessage, type Source } from './feed';

class Server {
  opened: string[] = [];
  waits: number[] = [];
  told: FeedMessage[] = [];
  now = 0;
  source: FakeSource | null = null;
  private due: (() => void) | null = null;
  readonly feed = new Feed('/stream', (m) => this.told.push(m), {
    open: (url) => {
      this.opened.push(url);
      return (this.source = new FakeSource());
    },
    later: (run, ms) => {
      this.waits.push(ms);
      this.due = run;
      return 1;
    },
    cancel: () => (this.due = null),
    now: () => this.now,
  });

  wait(): void {
    const run = this.due;
    this.due = null;
    run?.();
  }
}

class FakeSource implements Source {
  readyState = 1;
  onopen: ((event: Event) => void) | null = null;
  onerror: ((event: Event) => void) | null = null;
  private listeners = new Map<string, (event: MessageEvent<string>) => void>();

  addEventListener(name: string, listener: (event: MessageEvent<string>) => void): void {
    this.listeners.set(name, listener);
  }

  close(): void {
    this.readyState = 2;
  }

  say(name: string, data: string, lastEventId = ''): void {
    this.listeners.get(name)?.(new MessageEvent('message', { data, lastEventId }));
  }

  fail(readyState: number): void {
    this.readyState = readyState;
    this.onerror?.(new Event('error'));
  }
}

describe('feed', () => {
  it('opens a stream anew that an HTTP error closed for good, from the last journal row', () => {
    const server = new Server();
    server.feed.start();
    server.source?.say('alert', '{"row":41}', '41');
    server.source?.fail(2);
    server.wait();
    expect(server.opened).toEqual(['/stream', '/stream?since=41']);
  });

  it('waits 1, 2, 4, 8, 15, 15 s between attempts, and begins at 1 s after a success', () => {
    const server = new Server();
    server.feed.start();
    for (let i = 0; i < 6; i++) {
      server.source?.fail(2);
      server.wait();
    }
    expect(server.waits).toEqual([1000, 2000, 4000, 8000, 15_000, 15_000]);
    server.source?.onopen?.(new Event('open'));
    server.source?.fail(2);
    expect(server.waits.at(-1)).toBe(1000);
  });

  it('leaves a dropped socket to the browser, which takes it up itself', () => {
    const server = new Server();
    server.feed.start();
    server.source?.fail(0);
    expect(server.waits).toEqual([]);
    expect(server.told).toEqual([{ kind: 'lost' }]);
  });

  it('gives up a stream that is silent without an error, as when a cable is pulled', () => {
    const server = new Server();
    server.feed.start();
    server.now = 11_000;
    server.feed.check();
    expect(server.told).toEqual([]);
    server.now = 12_500;
    server.feed.check();
    server.wait();
    expect(server.opened).toHaveLength(2);
  });

  it('tells whether it goes on from a row, so that the page knows when something is missing', () => {
    const server = new Server();
    server.feed.start();
    server.source?.onopen?.(new Event('open'));
    server.source?.say('state', '{}', '7');
    server.source?.fail(2);
    server.wait();
    server.source?.onopen?.(new Event('open'));
    expect(server.opened.at(-1)).toBe('/stream?since=7');
    expect(server.told.filter((m) => m.kind === 'open').map((m) => m.resumed)).toEqual([false, true]);
  });

  it('reads everything anew after a reset and forgets the old row', () => {
    const server = new Server();
    server.feed.start();
    server.source?.say('alert', '{}', '41');
    server.source?.say('reset', '{}', '41'); // the browser repeats the last id
    server.source?.fail(2);
    server.wait();
    expect(server.opened.at(-1)).toBe('/stream');
    expect(server.told.some((m) => m.kind === 'frame' && m.frame.event === 'reset')).toBe(true);
  });

  it('skips a frame that is cut short', () => {
    const server = new Server();
    server.feed.start();
    server.source?.say('ping', '{"time":');
    expect(server.told).toEqual([]);
  });
});
