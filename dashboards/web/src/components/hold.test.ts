import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Hold } from './hold';

describe('holding the order of the list', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('holds while the pointer is there and lets go when it leaves', () => {
    const told: boolean[] = [];
    const hold = new Hold((held) => told.push(held));
    hold.over(true);
    hold.over(true);
    hold.over(false);
    expect(told).toEqual([true, false]);
  });

  it('a pointer left lying on the list hides nothing for more than half a minute', () => {
    const told: boolean[] = [];
    new Hold((held) => told.push(held)).over(true);
    vi.advanceTimersByTime(31_000);
    expect(told).toEqual([true, false]);
  });

  it('a press on a list that was moving only stops it; the next press acts', () => {
    const hold = new Hold(() => {});
    expect([hold.isArmed(), hold.takeClick()]).toEqual([false, false]);
    expect([hold.isArmed(), hold.takeClick()]).toEqual([true, true]);
  });
});
