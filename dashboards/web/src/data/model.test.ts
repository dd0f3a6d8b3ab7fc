import { describe, expect, it } from 'vitest';
import type { Frame } from '../api/types';
import { alert, event, iso, point, T0 } from './fixtures';
import { Model, offsetOf } from './model';

class Bench {
  mono = 0;
  raised: string[] = [];
  private due: (() => void)[] = [];
  readonly model = new Model({ schedule: (run) => this.due.push(run), monotonic: () => this.mono });

  constructor() {
    this.model.onRaised = (a) => this.raised.push(a.id);
  }

  push(frame: Frame): void {
    this.model.message({ kind: 'frame', frame });
  }

  ping(ms: number): void {
    this.push({ event: 'ping', id: '', data: { time: iso(ms) } });
  }

  /** Let the animation frame come. */
  settle(): number {
    const runs = this.due.splice(0);
    for (const run of runs) run();
    return runs.length;
  }
}

describe('model', () => {
  it('asks once for sensors that were born after the list of points was read', () => {
    const bench = new Bench();
    let asked = 0;
    bench.model.onStrangers = () => (asked += 1);
    const reading = (id: number): Frame => ({
      event: 'reading', id: '', data: { time: iso(T0), point: [id], ts_ms: [T0], value: [1], quality: [0] },
    });
    bench.push(reading(7));
    expect(asked).toBe(0); // the first list is still on its way
    bench.model.setPoints([point(1)]);
    bench.model.endSnapshot();
    bench.push(reading(1));
    bench.push(reading(7));
    bench.push(reading(7));
    expect(asked).toBe(1);
  });

  it('tells its listeners once per animation frame, however much happened', () => {
    const bench = new Bench();
    let told = 0;
    bench.model.subscribe('alerts', () => (told += 1));
    for (let row = 1; row <= 50; row++) bench.push({ event: 'alert', id: `${row}`, data: event(row, 'raised', alert(`a${row}`)) });
    expect(bench.settle()).toBe(1);
    expect(told).toBe(1);
    expect(bench.model.tally).toEqual([50, 0, 0, 0]);
  });

  it('does not tell listeners of what did not change', () => {
    const bench = new Bench();
    let told = 0;
    bench.model.subscribe('alerts', () => (told += 1));
    bench.ping(T0);
    bench.settle();
    expect(told).toBe(0);
  });

  it('an alert frame is fresh by when it was sent, not by the time of its cause', () => {
    const bench = new Bench();
    bench.ping(T0);
    bench.mono = 60_000;
    bench.push({ event: 'alert', id: '1', data: { ...event(1, 'raised', alert('a')), sent: iso(T0 + 60_000) } });
    expect(bench.model.ageMs).toBeLessThan(1000);
    expect(bench.model.link).toBe('live');
  });

  it('goes from connecting to live, to lost when the service freezes, and back', () => {
    const bench = new Bench();
    expect(bench.model.link).toBe('connecting');
    bench.ping(T0);
    expect(bench.model.link).toBe('live');
    bench.mono = 4500;
    expect(bench.model.link).toBe('lost');
    bench.ping(T0 + 4500);
    expect(bench.model.link).toBe('live');
  });

  it('counts new alarms of ten minutes by server time, the ended ones too, the retrospective ones not', () => {
    const bench = new Bench();
    bench.ping(T0 + 700_000);
    const raised = (row: number, at: number, retrospective = false) =>
      bench.push({ event: 'alert', id: '', data: event(row, 'raised', alert(`a${row}`, { raised: iso(at), retrospective })) });
    raised(1, T0);
    raised(2, T0 + 600_000);
    raised(3, T0 + 650_000);
    raised(4, T0 + 650_000, true);
    bench.push({ event: 'alert', id: '', data: event(9, 'cleared', alert('a3', { state: 'normal' })) });
    bench.settle();
    expect(bench.model.newAlarms).toBe(2);
  });

  it('says once that an alert was raised, and again when it became active again', () => {
    const bench = new Bench();
    const a = alert('a');
    bench.push({ event: 'alert', id: '1', data: event(1, 'raised', a) });
    bench.push({ event: 'alert', id: '1', data: event(1, 'raised', a) });
    bench.push({ event: 'alert', id: '2', data: event(2, 'cleared', { ...a, state: 'returned-unacknowledged', active: false }) });
    bench.push({ event: 'alert', id: '3', data: event(3, 'raised', a) });
    expect(bench.raised).toEqual(['a', 'a']);
  });

  it('takes an announced test for no alert, and says that tests have changed', () => {
    const bench = new Bench();
    let told = 0;
    bench.model.subscribe('tests', () => told++);
    bench.push({ event: 'alert', id: '1', data: event(1, 'test-announced', alert('a')) });
    bench.settle();
    expect([bench.model.alerts.size, bench.raised, told]).toEqual([0, [], 1]);
    bench.push({ event: 'alert', id: '2', data: event(2, 'tagged', alert('b', { rule: 'test-gas', paged: false })) });
    bench.settle();
    expect([bench.model.alerts.size, bench.raised, told]).toEqual([1, [], 2]);
  });

  it('keeps the newest reading when an older one is sent again', () => {
    const bench = new Bench();
    const reading = (ts: number, value: number) =>
      bench.push({ event: 'reading', id: '', data: { time: iso(ts), point: [1], ts_ms: [ts], value: [value], quality: [0] } });
    reading(T0 + 1000, 2);
    reading(T0, 1);
    expect(bench.model.readings.get(1)?.value).toBe(2);
  });

  it('takes a sensor for stale after twice its own interval, and for silent when it never spoke', () => {
    const bench = new Bench();
    const slow = point(1, { interval_s: 60 });
    bench.push({ event: 'reading', id: '', data: { time: iso(T0), point: [1], ts_ms: [T0], value: [1], quality: [0] } });
    expect(bench.model.readings.isStale(slow, T0 + 110_000)).toBe(false);
    expect(bench.model.readings.isStale(slow, T0 + 124_000)).toBe(true);
    expect(bench.model.readings.isStale(point(2), T0)).toBe(true);
  });

  it('keeps no bad reading in the history of a chart', () => {
    const bench = new Bench();
    const history = bench.model.watch(point(1));
    const data = { time: iso(T0), point: [1, 1], ts_ms: [T0, T0], value: [1, -2], quality: [0, 129] };
    bench.push({ event: 'reading', id: '', data });
    expect(history.columns(T0)[2].at(-1)).toBe(1);
  });

  it('sums up zones: a zone without alerts is quiet, the worst alert gives the colour', () => {
    const bench = new Bench();
    bench.model.setPoints([point(1), point(2, { zone: 'belt' })]);
    bench.push({ event: 'alert', id: '1', data: event(1, 'raised', alert('a', { priority: 3 })) });
    bench.push({ event: 'alert', id: '2', data: event(2, 'raised', alert('b', { priority: 2, state: 'acknowledged' })) });
    bench.settle();
    expect(bench.model.zones).toEqual([
      { site: 'mine', zone: 'belt', points: 1, worst: null, unacknowledged: 0, total: 0 },
      { site: 'mine', zone: 'face', points: 1, worst: 2, unacknowledged: 1, total: 2 },
    ]);
  });

  it('reads the offset of the site from the times of the service', () => {
    expect([offsetOf('2026-11-21T12:00:00+05:00'), offsetOf('2026-11-21T12:00:00.5-03:30'), offsetOf('2026-11-21T07:00:00Z')]).toEqual([
      300, -210, 0,
    ]);
  });
});
