import { describe, expect, it } from 'vitest';
import { point, T0 } from './fixtures';
import { announcement, ledgerQuery, meters } from './calibrations';

const filled = { where: 'place mine/a/methane', minutes: 60, gas: '', comment: '' };

describe('tests of meters', () => {
  it('only methane meters in a zone can be announced, each place and zone once', () => {
    const meter = (id: number, change: object) => ({ ...point(id), quantity: 'methane', unit: '% CH4', zone: 'face', ...change });
    const points = [
      meter(2, { place: 'mine/b/ch4' }),
      meter(1, { place: 'mine/a/ch4' }),
      meter(3, { zone: '' }),
      meter(4, { unit: 'ppm' }),
      meter(5, { quantity: 'air_velocity' }),
    ];
    expect(meters(points)).toEqual({ places: ['mine/a/ch4', 'mine/b/ch4'], zones: ['face'] });
  });

  it('asks for a window from now on, with the gas as people write it', () => {
    expect(announcement({ ...filled, gas: ' 2,2 ', comment: ' order ' }, T0)).toEqual({
      place: 'mine/a/methane',
      to: new Date(T0 + 3_600_000).toISOString(),
      gas_pct: 2.2,
      comment: 'order',
    });
    expect(announcement({ ...filled, where: 'zone long wall/face' }, T0)).toMatchObject({ zone: 'long wall/face', gas_pct: null });
  });

  it.each([
    [{ where: '' }, 'testWhereNeeded'],
    [{ gas: '0' }, 'testGasWrong'],
    [{ gas: '61' }, 'testGasWrong'],
    [{ gas: 'two' }, 'testGasWrong'],
  ])('says what is missing: %o', (change, key) => {
    expect(announcement({ ...filled, ...change }, T0)).toBe(key);
  });

  it('asks for nothing while the time of the service is unknown', () => {
    expect(announcement(filled, Number.NaN)).toBe('disabledLost');
  });

  it('reads the ledger of a meter and a period, page by page', () => {
    const asked = { place: 'mine/a b', days: 7, nowMs: T0, cursor: null };
    const from = encodeURIComponent(new Date(T0 - 7 * 86_400_000).toISOString());
    expect(ledgerQuery(asked)).toBe(`limit=100&place=mine%2Fa+b&from=${from}`);
    expect(ledgerQuery({ ...asked, place: '', days: 0, cursor: '5~k|x' })).toBe('limit=100&cursor=5%7Ek%7Cx');
  });
});
