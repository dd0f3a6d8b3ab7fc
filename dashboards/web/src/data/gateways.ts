// When a gateway is well, and what is wrong with it, in words of the interface.
import type { Gateway } from '../api/types';
import type { Key } from '../i18n/en';

const CLOCK_OFF_S = 2;
const HELD_ROWS = 100;

/** The service's words for problems, and the text of each. */
const PROBLEMS: Record<string, Key> = {
  'two-agents': 'gwTwoAgents',
  'case-twin': 'gwCaseTwin',
  'place-taken': 'gwPlaceTaken',
  flood: 'gwFlood',
  'device-dead': 'gwDeviceDead',
  gaps: 'gwGaps',
  'no-rebirth': 'gwNoRebirth',
  'clock-off': 'gwClockOff',
  'clock-unknown': 'gwClockUnknown',
};

const CLOCKS: Record<string, Key> = {
  synchronised: 'gwSynchronised',
  holdover: 'gwHoldover',
  unknown: 'gwUnknown',
};

export const offsetS = (g: Gateway): number => Math.abs(g.clock_offset_ms ?? 0) / 1000;
export const isHeld = (g: Gateway): boolean => g.spool_rows > HELD_ROWS;
export const isOff = (g: Gateway): boolean => offsetS(g) > CLOCK_OFF_S;
export const isWell = (g: Gateway): boolean => g.online && !isHeld(g) && !isOff(g) && g.problems.length === 0;

/** The key of a problem's text; a word of a newer service has none and is shown as it is. */
export const problemKey = (word: string): Key | undefined => PROBLEMS[word];
export const clockKey = (word: string): Key | undefined => CLOCKS[word];

/** Those with something wrong first: offline, then with problems, then by name. */
export function inOrder(gateways: readonly Gateway[]): Gateway[] {
  const rank = (g: Gateway) => (g.online ? (isWell(g) ? 2 : 1) : 0);
  const name = (g: Gateway) => `${g.site}/${g.gateway}`;
  return [...gateways].sort((a, b) => rank(a) - rank(b) || name(a).localeCompare(name(b)));
}
