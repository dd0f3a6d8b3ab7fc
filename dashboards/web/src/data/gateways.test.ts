import { describe, expect, it } from 'vitest';
import type { Gateway } from '../api/types';
import { inOrder, isWell, problemKey } from './gateways';

const gateway = (change: Partial<Gateway>): Gateway => ({
  site: 's',
  gateway: 'gw',
  online: true,
  since: null,
  last_seen: null,
  clock_offset_ms: 0,
  clock: '',
  spool_rows: 0,
  spool_oldest: null,
  version: '',
  points: 1,
  births: 1,
  bd_seq: 0,
  sequence_gaps: 0,
  duplicates: 0,
  rebirths: 0,
  problems: [],
  ...change,
});

describe('gateways', () => {
  it('a gateway is well only on line, in time, with little held back and without problems', () => {
    expect(isWell(gateway({}))).toBe(true);
    const ill = [{ online: false }, { clock_offset_ms: -2500 }, { spool_rows: 101 }, { problems: ['two-agents'] }];
    expect(ill.map((change) => isWell(gateway(change)))).toEqual([false, false, false, false]);
  });

  it('those that need somebody stand first', () => {
    const list = [gateway({ gateway: 'a' }), gateway({ gateway: 'b', problems: ['gaps'] }), gateway({ gateway: 'c', online: false })];
    expect(inOrder(list).map((g) => g.gateway)).toEqual(['c', 'b', 'a']);
  });

  it('every word of the service has a text, and one it does not know is no failure', () => {
    const words = ['two-agents', 'case-twin', 'place-taken', 'flood', 'device-dead', 'gaps', 'no-rebirth', 'clock-off', 'clock-unknown'];
    expect(words.filter((word) => !problemKey(word))).toEqual([]);
    expect(problemKey('of-a-newer-service')).toBeUndefined();
  });
});
