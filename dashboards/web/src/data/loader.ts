// Reads the snapshot that the stream then keeps up to date, at the start, after a reset and after an outage.
import type { Client } from '../api/client';
import type { Model } from './model';

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 15_000;

/** One reading of everything at a time; a request that comes meanwhile leads to one more. */
export class Loader {
  private running = false;
  private again = false;

  constructor(
    private readonly client: Client,
    private readonly model: Model,
    private readonly later: (run: () => void, ms: number) => unknown,
  ) {}

  /** Read points, readings, gateways and alerts; try again with back-off until it works. */
  async load(wait = FIRST_WAIT_MS): Promise<void> {
    if (this.running) {
      this.again = true;
      return;
    }
    this.running = true;
    this.again = false;
    let failed = false;
    try {
      await this.all();
    } catch {
      failed = true;
      if (this.model.load !== 'ready') this.model.setLoad('failed');
    }
    this.running = false;
    if (failed) this.later(() => void this.load(Math.min(wait * 2, LONGEST_WAIT_MS)), wait);
    else if (this.again) await this.load();
  }

  private async all(): Promise<void> {
    const { client, model } = this;
    model.alerts.beginSnapshot();
    if (model.load !== 'ready') model.setLoad('loading', 0);
    const points = (async () => {
      for await (const page of client.points()) model.setPoints(page);
    })();
    const latest = client.latest().then(({ items }) => model.setLatest(items));
    const gateways = client.gateways().then(({ items }) => model.setGateways(items));
    let count = 0;
    for await (const page of client.alerts()) {
      model.alerts.page(page);
      count += page.length;
      if (model.load !== 'ready') model.setLoad('loading', count);
    }
    model.endSnapshot();
    await Promise.all([points, latest, gateways]);
  }
}
