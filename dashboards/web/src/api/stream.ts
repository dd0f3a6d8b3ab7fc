// Opens the push stream: in the SharedWorker where there is one, else in the page itself.
import { browserFeed, type FeedMessage } from './feed';

export type StreamMessage = FeedMessage | { kind: 'tick' };
type Tell = (message: StreamMessage) => void;

const HERE_MS = 20_000;
/** The worker ticks every second; when it is silent for this long, it is gone or has forgotten this window. */
const FORGOTTEN_MS = 10_000;

function inPage(url: string, tell: Tell): () => void {
  const feed = browserFeed(url, tell);
  feed.start();
  const timer = setInterval(() => {
    feed.check();
    tell({ kind: 'tick' });
  }, 1000);
  return () => {
    clearInterval(timer);
    feed.stop();
  };
}

function joinWorker(url: string, heard: Tell, failed: () => void): MessagePort {
  const worker = new SharedWorker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'minewatch' });
  worker.onerror = failed;
  worker.port.onmessage = (message: MessageEvent<StreamMessage>) => heard(message.data);
  worker.port.start();
  worker.port.postMessage({ say: 'hello', url });
  return worker.port;
}

function inWorker(url: string, tell: Tell): () => void {
  let last = performance.now();
  let closePage: (() => void) | null = null;
  const heard: Tell = (message) => {
    last = performance.now();
    tell(message);
  };
  const failed = () => {
    closePage ??= inPage(url, tell);
  };
  let port = joinWorker(url, heard, failed);
  const timer = setInterval(() => {
    if (closePage) return;
    if (performance.now() - last > FORGOTTEN_MS) port = joinWorker(url, heard, failed);
    else port.postMessage({ say: 'here' });
  }, HERE_MS);
  const bye = () => port.postMessage({ say: 'bye' });
  addEventListener('pagehide', bye);
  return () => {
    clearInterval(timer);
    removeEventListener('pagehide', bye);
    bye();
    closePage?.();
  };
}

/** Open the stream and tell every message; the returned function closes it. */
export function openStream(url: string, tell: Tell): () => void {
  if (typeof SharedWorker === 'undefined') return inPage(url, tell);
  try {
    return inWorker(url, tell);
  } catch {
    return inPage(url, tell); // a policy may forbid workers
  }
}
