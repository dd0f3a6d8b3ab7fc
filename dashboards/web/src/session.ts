// The one place that knows the browser: clocks, addresses, stored settings, and who talks to whom.
import { Client } from './api/client';
import { openStream } from './api/stream';
import { liveViews } from './data/live';
import { Loader } from './data/loader';
import { Model } from './data/model';
import { settings } from './settings.svelte';

const HIDDEN_MS = 100;
const RECHECK_MS = 5000;

const monotonic = () => performance.now();

function schedule(run: () => void): void {
  // Hidden pages get no animation frames, and must sound their alarms all the same.
  if (document.hidden) setTimeout(run, HIDDEN_MS);
  else requestAnimationFrame(run);
}

function newKey(): string {
  // crypto.randomUUID exists in secure contexts only; a site's page is often plain HTTP.
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, '0')).join('');
}

export const model = new Model({ schedule, monotonic });
export const live = liveViews(model);

export const client = new Client({
  base: new URL('api/v1/', document.baseURI).href,
  fetch: (...args) => fetch(...args),
  actor: () => settings.desk,
  newKey,
  monotonic,
  onAnswer: (asked, came, dateMs) => model.answer(asked, came, dateMs),
});

/** Open the stream, read the snapshot, and look after both. */
export function start(): void {
  const loader = new Loader(client, model, (run, ms) => setTimeout(run, ms));
  let before = model.link;
  let opened = false;
  let checked = 0;
  model.onReset = () => void loader.load();
  model.onStrangers = () => void loader.load();
  openStream(client.url('stream'), (message) => {
    model.message(message);
    const link = model.link;
    // What happened during an outage may be beyond the ring: read everything anew, quietly.
    if (link === 'live' && (before === 'lost' || before === 'late')) void loader.load();
    before = link;
    if (message.kind === 'open') {
      if (opened && !message.resumed) void loader.load();
      opened = true;
    }
    if (link === 'late' && monotonic() - checked > RECHECK_MS) {
      // Late frames, or a server clock that was set back? The date of an answer tells.
      checked = monotonic();
      client.gateways().then(({ items }) => model.setGateways(items), () => {});
    }
  });
  void loader.load();
  addEventListener('pageshow', (event) => event.persisted && location.reload());
}
