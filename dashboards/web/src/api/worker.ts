// SharedWorker: one stream per browser, however many windows are open (HTTP/1.1 allows six streams an origin).
import { browserFeed, type Feed, type FeedMessage } from './feed';

interface Viewer {
  port: MessagePort;
  seen: number;
}

/** A window that said nothing for this long is gone; hidden windows speak once a minute. */
const GONE_MS = 200_000;
const TICK_MS = 1000;

const viewers = new Set<Viewer>();
let feed: Feed | null = null;
let open = false;
let lastState: FeedMessage | null = null;

function tellAll(message: FeedMessage): void {
  if (message.kind === 'open') open = true;
  if (message.kind === 'lost') open = false;
  if (message.kind === 'frame' && message.frame.event === 'state') lastState = message;
  for (const viewer of viewers) viewer.port.postMessage(message);
}

function leave(viewer: Viewer): void {
  viewers.delete(viewer);
  viewer.port.close();
  if (viewers.size > 0) return;
  feed?.stop();
  feed = null;
  open = false;
  lastState = null;
}

function join(port: MessagePort): void {
  const viewer: Viewer = { port, seen: performance.now() };
  viewers.add(viewer);
  port.onmessage = (message: MessageEvent<{ say: 'hello' | 'here' | 'bye'; url?: string }>) => {
    viewer.seen = performance.now();
    const { say, url } = message.data;
    if (say === 'bye') leave(viewer);
    if (say !== 'hello' || !url) return;
    if (open) port.postMessage({ kind: 'open', resumed: true } satisfies FeedMessage);
    if (lastState) port.postMessage(lastState);
    feed ??= browserFeed(url, tellAll);
    feed.start();
  };
  port.start();
}

(globalThis as unknown as { onconnect: (event: MessageEvent) => void }).onconnect = (event) => {
  if (event.ports[0]) join(event.ports[0]);
};

// Timers of hidden windows are throttled, a worker's are not: it keeps the windows' second.
setInterval(() => {
  const now = performance.now();
  feed?.check();
  for (const viewer of [...viewers]) {
    if (now - viewer.seen > GONE_MS) leave(viewer);
    else viewer.port.postMessage({ kind: 'tick' });
  }
}, TICK_MS);
