import { describe, expect, it } from 'vitest';
import { AlertTable } from './alerts';
import { alert, event, iso, T0 } from './fixtures';
import { compare, item } from './order';
import { AlertView, passes } from './view';

const ids = (table: AlertTable) => table.sorted.map((one) => one.alert.id);

function table(...alerts: ReturnType<typeof alert>[]): AlertTable {
  const made = new AlertTable();
  made.beginSnapshot();
  made.page(alerts);
  made.endSnapshot();
  return made;
}

describe('order', () => {
  it('unacknowledged first, then priority, then the newest', () => {
    const made = table(
      alert('acked-p1', { state: 'acknowledged' }),
      alert('p2-old', { priority: 2 }),
      alert('p2-new', { priority: 2, raised: iso(T0 + 1000) }),
      alert('p3', { priority: 3 }),
      alert('returned-p1', { state: 'returned-unacknowledged', active: false }),
      alert('p1'),
    );
    expect(ids(made)).toEqual(['p1', 'p2-new', 'p2-old', 'p3', 'returned-p1', 'acked-p1']);
  });

  it('stays sorted under a thousand random events', () => {
    const made = table();
    let seed = 7;
    const random = (n: number) => (seed = (seed * 16807) % 2147483647) % n;
    const states = ['unacknowledged', 'acknowledged', 'returned-unacknowledged', 'normal'] as const;
    for (let row = 1; row <= 1000; row++) {
      const state = states[random(4)] ?? 'normal';
      const priority = (1 + random(4)) as 1 | 2 | 3 | 4;
      made.event(event(row, 'raised', alert(`a${random(60)}`, { state, priority, raised: iso(T0 + random(9) * 1000) })));
    }
    expect(made.sorted).toEqual([...made.sorted].sort(compare));
    expect(new Set(ids(made)).size).toBe(made.size);
  });
});

describe('events', () => {
  it('an older row never undoes a newer one', () => {
    const made = table();
    made.event(event(5, 'acknowledged', alert('a', { state: 'acknowledged' })));
    expect(made.event(event(4, 'raised', alert('a')))).toBe(false);
    expect(made.get('a')?.state).toBe('acknowledged');
  });

  it('an event during the reading of a snapshot wins over the older page', () => {
    const made = table(alert('a'), alert('b'));
    made.beginSnapshot();
    made.event(event(9, 'acknowledged', alert('a', { state: 'normal' })));
    made.event(event(10, 'raised', alert('c')));
    made.page([alert('a'), alert('b')]);
    made.endSnapshot();
    expect(ids(made).sort()).toEqual(['b', 'c']);
  });

  it('what ended during an outage is gone after the next snapshot', () => {
    const made = table(alert('a'), alert('b'));
    made.beginSnapshot();
    made.page([alert('b')]);
    made.endSnapshot();
    expect(ids(made)).toEqual(['b']);
  });
});

describe('the list', () => {
  it('filters by text in every language, by zone of a site, and by priority', () => {
    const one = item(alert('x', { priority: 2, zone: 'face' }));
    const none = { text: '', priority: 4, site: '', zone: null };
    expect(passes(one, { ...none, text: 'КӨП' })).toBe(true);
    expect(passes(one, { ...none, text: 'dust' })).toBe(false);
    expect(passes(one, { ...none, priority: 1 })).toBe(false);
    expect(passes(one, { ...none, site: 'mine', zone: 'face' })).toBe(true);
    expect(passes(one, { ...none, site: 'other', zone: 'face' })).toBe(false);
  });

  it('while it is held no row moves, none goes, and the new ones are counted', () => {
    const made = table(alert('a', { priority: 2 }), alert('b', { priority: 3 }));
    const view = new AlertView();
    view.rebuild(made);
    view.freeze();
    made.event(event(2, 'raised', alert('urgent')));
    made.event(event(3, 'acknowledged', alert('a', { priority: 2, state: 'acknowledged' })));
    made.event(event(4, 'cleared', alert('b', { state: 'normal' })));
    view.rebuild(made);
    expect(view.lines.map((l) => [l.alert.id, l.alert.state, l.ended === true])).toEqual([
      ['a', 'acknowledged', false],
      ['b', 'unacknowledged', true],
    ]);
    expect(view.pending.map((a) => a.id)).toEqual(['urgent']);
    view.thaw(made);
    expect(view.lines.map((l) => l.alert.id)).toEqual(['urgent', 'a']);
    expect(view.pending).toEqual([]);
  });

  it('sorts and filters ten thousand alerts within a frame of a slow machine', () => {
    const made = table(...Array.from({ length: 10_000 }, (_, i) => alert(`a${i}`, { raised: iso(T0 + i) })));
    const view = new AlertView();
    const from = performance.now();
    for (let row = 2; row < 102; row++) made.event(event(row, 'acknowledged', alert(`a${row * 50}`, { state: 'acknowledged' })));
    view.rebuild(made);
    expect(performance.now() - from).toBeLessThan(250);
    expect(view.lines).toHaveLength(10_000);
  });
});
