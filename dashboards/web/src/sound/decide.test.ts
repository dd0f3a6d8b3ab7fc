import { describe, expect, it } from 'vitest';
import { alert } from '../data/fixtures';
import { compare, item } from '../data/order';
import { Silence } from './decide';
import { PATTERNS, render } from './patterns';

const items = (...alerts: ReturnType<typeof alert>[]) => alerts.map(item).sort(compare);

describe('what sounds', () => {
  it('only the most urgent, and only what nobody has acknowledged', () => {
    const s = new Silence();
    expect(s.sounding(items(alert('a', { priority: 2 }), alert('b')), 'live')).toBe('p1');
    expect(s.sounding(items(alert('a', { priority: 2 }), alert('b', { state: 'acknowledged' })), 'live')).toBe('p2');
    expect(s.sounding(items(alert('a', { priority: 4 })), 'live')).toBeNull();
  });

  it('nothing that called nobody, and nothing from the past', () => {
    const s = new Silence();
    expect(s.sounding(items(alert('a', { paged: false }), alert('b', { retrospective: true })), 'live')).toBeNull();
  });

  it('a silenced alarm stays silent, a new one sounds again', () => {
    const s = new Silence();
    const a = alert('a');
    s.silence(items(a), 'live');
    expect(s.sounding(items(a), 'live')).toBeNull();
    expect(s.sounding(items(a, alert('b')), 'live')).toBe('p1');
  });

  it('a silenced alert that returned and came back sounds again', () => {
    const s = new Silence();
    s.silence(items(alert('a')), 'live');
    s.sounding(items(alert('a', { state: 'returned-unacknowledged' })), 'live');
    expect(s.sounding(items(alert('a')), 'live')).toBe('p1');
  });

  it('a medium alarm has one pip', () => {
    const s = new Silence();
    const list = items(alert('a', { priority: 3 }));
    expect(s.sounding(list, 'live')).toBe('p3');
    s.pipped(list);
    expect(s.sounding(list, 'live')).toBeNull();
  });

  it('a lost link sounds until silenced, and sounds again the next time', () => {
    const s = new Silence();
    expect(s.sounding([], 'lost')).toBe('link');
    s.silence([], 'lost');
    expect(s.sounding([], 'lost')).toBeNull();
    s.sounding([], 'live');
    expect(s.sounding([], 'late')).toBe('link');
  });
});

describe('patterns', () => {
  it('a loop is exactly as long as its period, silent in its pause, and never clips', () => {
    const samples = render(PATTERNS.p1, 8000);
    expect(samples).toHaveLength(16_000);
    expect(samples.slice(8000).every((v) => v === 0)).toBe(true);
    expect(Math.max(...samples)).toBeLessThan(0.5);
    expect(samples[0]).toBe(0);
  });
});
