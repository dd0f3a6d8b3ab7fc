import { describe, expect, it } from 'vitest';
import { ServerClock } from './clock';
import { linkState, STALE_MS } from './link';

const SERVER = 1_700_000_000_000;

/** A clock that has had one frame a second, `way` ms under way, for ten seconds. */
function running(way = 20): { clock: ServerClock; mono: number; server: number } {
  const clock = new ServerClock();
  for (let s = 0; s < 10; s++) clock.frame(s * 1000 + way, SERVER + s * 1000);
  return { clock, mono: 9000 + way, server: SERVER + 9000 };
}

describe('freshness', () => {
  it('a frame that has just come is fresh, whatever this computer thinks the time is', () => {
    const { clock, mono } = running();
    expect(clock.age(mono)).toBeLessThan(5);
    expect(clock.now(mono)).toBeCloseTo(SERVER + 9000, -1);
  });

  it('the age grows when frames stop: a frozen service is noticed within five seconds', () => {
    const { clock, mono } = running();
    expect(clock.age(mono + 5000)).toBeGreaterThan(STALE_MS);
  });

  it('frames that arrive punctually but tell of the past are stale, never fresh by arrival', () => {
    const { clock, mono, server } = running();
    for (let s = 1; s <= 30; s++) clock.frame(mono + 25_000 + s * 1000, server + s * 1000);
    expect(clock.age(mono + 55_000)).toBeGreaterThan(24_000);
  });

  it('a stream that was late from its first frame is told by the date of an answer', () => {
    const clock = new ServerClock();
    clock.frame(1000, SERVER - 25_000);
    expect(clock.age(1000)).toBe(0);
    clock.answer(900, 1000, SERVER);
    expect(clock.age(1000)).toBeGreaterThan(20_000);
  });

  it('a server clock that is set back an hour is stale until an answer explains it', () => {
    const { clock, mono, server } = running();
    clock.frame(mono + 1000, server + 1000 - 3_600_000);
    clock.frame(mono + 6000, server + 6000 - 3_600_000);
    expect(clock.age(mono + 6000)).toBeGreaterThan(STALE_MS);
    clock.answer(mono + 6000, mono + 6030, server + 6000 - 3_600_000);
    clock.frame(mono + 7000, server + 7000 - 3_600_000);
    expect(clock.age(mono + 7000)).toBeLessThan(STALE_MS);
  });

  it('an answer with an ordinary date changes nothing', () => {
    const { clock, mono, server } = running();
    clock.answer(mono, mono + 30, Math.floor(server / 1000) * 1000 - 1000);
    expect(clock.age(mono + 30)).toBeLessThan(100);
  });

  it('clocks that drift apart by 50 ppm stay fresh for a week', () => {
    const clock = new ServerClock();
    const week = 7 * 86_400_000;
    let mono = 0;
    for (; mono < week; mono += 60_000) clock.frame(mono, SERVER + mono * (1 - 5e-5));
    expect(clock.age(mono - 60_000)).toBeLessThan(1000);
  });

  it('a frame without a readable time is not taken for a sign of life', () => {
    const { clock, mono } = running();
    clock.frame(mono + 9000, Number.NaN);
    expect(clock.age(mono + 9000)).toBeGreaterThan(STALE_MS);
  });
});

describe('state of the link', () => {
  it.each([
    [{ ageMs: Number.POSITIVE_INFINITY, silentMs: 100, met: false }, 'connecting'],
    [{ ageMs: Number.POSITIVE_INFINITY, silentMs: 4500, met: false }, 'lost'],
    [{ ageMs: 900, silentMs: 900, met: true }, 'live'],
    [{ ageMs: 25_000, silentMs: 200, met: true }, 'late'],
    [{ ageMs: 4100, silentMs: 4100, met: true }, 'lost'],
  ] as const)('%o is %s', (input, state) => {
    expect(linkState(input)).toBe(state);
  });
});
