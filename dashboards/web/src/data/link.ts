// The state of the link, from the age of the newest frame and the time of the last arrival.

export type LinkState = 'connecting' | 'live' | 'late' | 'lost';

/** Shown within 5 s of the last frame; the service pings every second. */
export const STALE_MS = 4000;

export interface LinkInput {
  /** Age of the newest frame by server time; Infinity before the first one. */
  ageMs: number;
  /** Since anything arrived, or since the page was opened, by the monotonic clock. */
  silentMs: number;
  /** Whether a frame has ever arrived. */
  met: boolean;
}

/** Judge the link: `late` means that frames arrive, but tell of a time that has passed. */
export function linkState({ ageMs, silentMs, met }: LinkInput): LinkState {
  if (!met) return silentMs < STALE_MS ? 'connecting' : 'lost';
  if (ageMs <= STALE_MS) return 'live';
  return silentMs > STALE_MS ? 'lost' : 'late';
}
