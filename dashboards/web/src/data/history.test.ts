import { describe, expect, it } from 'vitest';
import { drawnLimits, nearest, verticalRange } from '../charts/scale';
import { alert, iso, point, T0 } from './fixtures';
import { History, WINDOW_MS } from './history';
import { item } from './order';
import { chooseTrends } from './trends';

const limit = (threshold: number, comparison: string, change = {}) => ({
  rule: 'r', detector: 'value', comparison, threshold, priority: 1 as const, citation: '', verified: false, ...change,
});

describe('history of a trend', () => {
  it('hides no spike: a bucket keeps its least and its greatest reading', () => {
    const history = new History(1);
    for (const [i, value] of [1, 9, 2].entries()) history.add(T0 + i * 1000, value);
    const [, high, low, mean] = history.columns(T0 + 2000);
    expect([high.at(-1), low.at(-1), mean.at(-1)]).toEqual([9, 1, 4]);
  });

  it('shows a gap as a gap', () => {
    const history = new History(1);
    history.add(T0 - 60_000, 1);
    history.add(T0, 1);
    const mean = history.columns(T0)[3];
    expect(mean.filter((v) => v !== null)).toHaveLength(2);
    expect(mean.at(-2)).toBeNull();
  });

  it('joins what the service has stored with what comes live', () => {
    const history = new History(1);
    history.add(T0, 5);
    const { fromMs, buckets } = history.span(T0);
    history.load({
      point: 1, from: '', to: '', coverage: 1,
      start: Array.from({ length: buckets }, (_, i) => iso(fromMs + i * history.bucketMs)),
      min: Array(buckets).fill(1), max: Array(buckets).fill(3), mean: Array(buckets).fill(2), count: Array(buckets).fill(1),
    });
    const columns = history.columns(T0);
    expect(columns[3].every((v) => v !== null)).toBe(true);
    expect(columns[1].at(-1)).toBe(5);
  });

  it('takes wider buckets for a slow sensor, so that its line is not torn', () => {
    expect(new History(30).bucketMs).toBe(60_000);
    expect(new History(30).columns(T0)[0]).toHaveLength(WINDOW_MS / 60_000 + 1);
  });
});

describe('scale of a trend', () => {
  it('holds the data and the nearest limit on either side, not the far ones', () => {
    const limits = [limit(1, 'above'), limit(2, 'above'), limit(0.2, 'below')];
    const [min, max] = verticalRange([0.4], [0.6], limits);
    expect([min < 0.2, max > 1, max < 2]).toEqual([true, true, true]);
  });

  it('never has a height of nothing', () => {
    for (const values of [[], [null], [5], [0]]) {
      const [min, max] = verticalRange(values, values, []);
      expect(max).toBeGreaterThan(min);
    }
  });

  it('draws no limit of another unit, and each threshold once', () => {
    const limits = [limit(1, 'above'), limit(1, 'at_or_above', { verified: true }), limit(0.1, 'above', { detector: 'rate-of-rise' })];
    expect(drawnLimits(limits).map((l) => [l.threshold, l.verified])).toEqual([[1, true]]);
    expect(nearest(drawnLimits(limits))).toHaveLength(1);
  });
});

describe('choice of trends', () => {
  const points = [point(1), point(2, { zone: 'belt' }), point(3), point(4, { zone: 'belt', limits: [limit(1, 'above')] })];

  it('points in alert first, then their zone, then points with limits', () => {
    const items = [item(alert('p3', { place: 'mine/p3/methane' }))];
    expect(chooseTrends(points, items, { site: '', zone: null }, new Set(), 3).map((p) => p.id)).toEqual([3, 1, 4]);
  });

  it('pinned points stay, a chosen zone shows its own', () => {
    const filter = { site: 'mine', zone: 'belt' };
    expect(chooseTrends(points, [], filter, new Set(['mine/p1/methane']), 9).map((p) => p.id)).toEqual([1, 4, 2]);
  });
});
