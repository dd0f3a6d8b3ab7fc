// The live model of the page: frames and answers go in, one change notice per animation frame comes out.
import type { Alert, EventKind, Frame, Gateway, Latest, Point, StateFrame } from '../api/types';
import type { StreamMessage } from '../api/stream';
import { AlertTable } from './alerts';
import { ServerClock } from './clock';
import { History } from './history';
import { linkState, type LinkState } from './link';
import { isUnacknowledged } from './order';
import { Readings } from './readings';
import { AlarmRate, tally, zones, type Tally, type ZoneSummary } from './summary';
import { AlertView, type Filter } from './view';

export type Topic = 'alerts' | 'readings' | 'points' | 'link' | 'second' | 'tests';
export type Load = 'loading' | 'ready' | 'failed';

/** The rule of the alert that a test of a meter is. */
const TEST_GAS = 'test-gas';
/** Rows of the journal that are no alert. */
const NO_ALERT: ReadonlySet<EventKind> = new Set(['tested', 'changed', 'test-announced']);

export interface ModelDeps {
  /** Run soon, at most once a picture: an animation frame, or a timer while the page is hidden. */
  schedule: (run: () => void) => void;
  monotonic: () => number;
}

export class Model {
  readonly alerts = new AlertTable();
  readonly view = new AlertView();
  readonly readings = new Readings();
  readonly clock = new ServerClock();
  readonly rate = new AlarmRate();
  readonly points = new Map<number, Point>();
  readonly byPlace = new Map<string, Point>();
  readonly watched = new Map<number, History>();

  state: StateFrame | null = null;
  gateways: Gateway[] = [];
  load: Load = 'loading';
  loaded = 0;
  transport: 'opening' | 'open' | 'lost' = 'opening';
  tally: Tally = [0, 0, 0, 0];
  zones: ZoneSummary[] = [];
  newAlarms = 0;
  /** Offset of the site's clock from UTC in minutes, as the service writes its times; null until known. */
  siteOffsetMin: number | null = null;
  /** Called when the service says that its stream has moved on and everything must be read anew. */
  onReset: () => void = () => {};
  /** Called when readings come from sensors that the list of points does not hold yet. */
  onStrangers: () => void = () => {};
  /** Called at once for every raised alert, hidden page or not. */
  onRaised: (alert: Alert) => void = () => {};

  private readonly opened: number;
  private readonly strangers = new Set<number>();
  private lastArrival: number;
  private met = false;
  private listeners = new Map<Topic, Set<() => void>>();
  private dirty = new Set<Topic>();
  private scheduled = false;

  constructor(private readonly deps: ModelDeps) {
    this.opened = this.lastArrival = deps.monotonic();
  }

  /** Be told once per animation frame that a topic has changed. */
  subscribe(topic: Topic, listener: () => void): () => void {
    const set = this.listeners.get(topic) ?? new Set();
    this.listeners.set(topic, set);
    set.add(listener);
    return () => void set.delete(listener);
  }

  /** Take one message of the push stream. */
  message(message: StreamMessage): void {
    if (message.kind === 'open') this.transport = 'open';
    if (message.kind === 'lost') this.transport = 'lost';
    if (message.kind === 'frame') this.frame(message.frame);
    if (message.kind === 'tick') this.changed('second');
    this.changed('link');
  }

  get serverNow(): number {
    return this.clock.now(this.deps.monotonic());
  }

  get ageMs(): number {
    return this.clock.age(this.deps.monotonic());
  }

  get link(): LinkState {
    const silentMs = this.deps.monotonic() - (this.met ? this.lastArrival : this.opened);
    return linkState({ ageMs: this.ageMs, silentMs, met: this.met });
  }

  answer(asked: number, came: number, dateMs: number): void {
    this.clock.answer(asked, came, dateMs);
  }

  setPoints(points: readonly Point[]): void {
    for (const point of points) {
      this.points.set(point.id, point);
      this.byPlace.set(point.place, point);
    }
    this.changed('points', 'alerts');
  }

  setLatest(items: readonly Latest[]): void {
    this.readings.snapshot(items);
    this.changed('readings');
  }

  setGateways(gateways: Gateway[]): void {
    this.gateways = gateways;
    this.changed('link');
  }

  setLoad(load: Load, loaded = this.loaded): void {
    this.load = load;
    this.loaded = loaded;
    this.changed('alerts');
  }

  /** Put the snapshot in force and count what it holds. */
  endSnapshot(): void {
    this.alerts.endSnapshot();
    for (const { alert, raisedMs } of this.alerts.sorted) this.rate.add(alert, raisedMs);
    this.setLoad('ready');
  }

  /** Take the answer to a command: only now the page shows it. */
  commanded(alert: Alert): void {
    this.alerts.apply(alert);
    this.changed('alerts');
  }

  setFilter(change: Partial<Filter>): void {
    this.view.setFilter(this.alerts, change);
    this.changed('alerts');
  }

  freeze(frozen: boolean): void {
    if (frozen === this.view.isFrozen) return;
    if (frozen) this.view.freeze();
    else this.view.thaw(this.alerts);
    this.changed('alerts');
  }

  /** Keep the last minutes of a point while a chart shows it. */
  watch(point: Point): History {
    let history = this.watched.get(point.id);
    if (!history) this.watched.set(point.id, (history = new History(point.interval_s)));
    return history;
  }

  unwatch(point: number): void {
    this.watched.delete(point);
  }

  private frame(frame: Frame): void {
    const mono = this.deps.monotonic();
    this.lastArrival = mono;
    this.met = true;
    // An alert's own times are those of its cause; `sent` is when the service wrote the frame.
    const sent = frame.event === 'alert' ? (frame.data.sent ?? frame.data.service_time) : frame.data.time;
    if (sent) this.clock.frame(mono, Date.parse(sent));
    if (frame.event === 'alert') this.alertFrame(frame.data);
    else if (frame.event === 'reading') this.readingFrame(frame.data);
    else if (frame.event === 'state') this.stateFrame(frame.data);
    else if (frame.event === 'reset') this.onReset();
    if (sent && frame.event !== 'alert') this.siteOffsetMin = offsetOf(sent);
  }

  private alertFrame(event: Extract<Frame, { event: 'alert' }>['data']): void {
    if (event.event === 'test-announced' || event.alert.rule === TEST_GAS) this.changed('tests');
    if (NO_ALERT.has(event.event)) return;
    const known = this.alerts.get(event.alert.id);
    if (!this.alerts.event(event)) return;
    if (event.event === 'raised') {
      this.rate.add(event.alert, Date.parse(event.alert.raised));
      if (!known || !isUnacknowledged(known) || !known.active) this.onRaised(event.alert);
    } else if (event.event === 'escalated') {
      this.onRaised(event.alert); // it waited, because it might have been a test of the meter: now it calls
    }
    this.changed('alerts');
  }

  private readingFrame(frame: Extract<Frame, { event: 'reading' }>['data']): void {
    this.readings.frame(frame);
    const strange = frame.point.filter((id) => !this.points.has(id) && !this.strangers.has(id));
    if (strange.length && this.load === 'ready') {
      // Asked for once each: a sensor that the list does not name even then must not make the page ask on.
      for (const id of strange) this.strangers.add(id);
      this.onStrangers();
    }
    for (let i = 0; i < frame.point.length; i++) {
      const value = frame.value[i];
      const bad = (frame.quality[i] ?? 0) >= 128;
      if (value != null && !bad) this.watched.get(frame.point[i]!)?.add(frame.ts_ms[i]!, value);
    }
    this.changed('readings');
  }

  private stateFrame(frame: StateFrame): void {
    this.state = frame;
    this.gateways = frame.gateways;
  }

  private changed(...topics: Topic[]): void {
    for (const topic of topics) this.dirty.add(topic);
    if (this.scheduled) return;
    this.scheduled = true;
    this.deps.schedule(() => {
      this.scheduled = false;
      this.settle();
    });
  }

  /** Work out what depends on the changes, then tell the listeners, each topic once. */
  private settle(): void {
    const dirty = this.dirty;
    this.dirty = new Set();
    if (dirty.has('alerts')) {
      this.view.rebuild(this.alerts);
      this.tally = tally(this.alerts.sorted);
      this.zones = zones(this.points.values(), this.alerts.sorted);
    }
    const now = this.serverNow;
    if (Number.isFinite(now)) this.newAlarms = this.rate.count(now);
    for (const topic of dirty) for (const listener of this.listeners.get(topic) ?? []) listener();
  }
}

/** Minutes east of UTC that an ISO time carries; 0 for Z. */
export function offsetOf(iso: string): number {
  const match = /([+-])(\d\d):?(\d\d)$/.exec(iso);
  if (!match) return 0;
  return (match[1] === '-' ? -1 : 1) * (Number(match[2]) * 60 + Number(match[3]));
}
