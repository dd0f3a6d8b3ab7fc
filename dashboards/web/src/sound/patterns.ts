// The alarm sounds as samples: rendered once, then looped on the audio clock, which hidden pages do not throttle.

export type Sounding = 'p1' | 'p2' | 'p3' | 'link' | 'test';

interface Tone {
  hz: number;
  at: number;
  lasts: number;
}

interface Pattern {
  tones: Tone[];
  /** Seconds until it begins again; 0 plays once. */
  every: number;
}

const pip = (at: number): Tone => ({ hz: 660, at, lasts: 0.12 });

export const PATTERNS: Record<Sounding, Pattern> = {
  p1: { tones: [{ hz: 880, at: 0, lasts: 0.25 }, { hz: 660, at: 0.28, lasts: 0.25 }], every: 2 },
  p2: { tones: [pip(0), pip(0.2), pip(0.4)], every: 10 },
  p3: { tones: [pip(0)], every: 0 },
  link: { tones: [{ hz: 330, at: 0, lasts: 0.35 }, { hz: 247, at: 0.4, lasts: 0.45 }], every: 30 },
  test: { tones: [{ hz: 880, at: 0, lasts: 0.25 }, { hz: 660, at: 0.28, lasts: 0.25 }], every: 0 },
};

const EDGE_S = 0.015;
const LOUDNESS = 0.4;

/** Samples of one period of a pattern, with soft edges so that it does not click. */
export function render({ tones, every }: Pattern, rate: number): Float32Array<ArrayBuffer> {
  const end = Math.max(every, ...tones.map((t) => t.at + t.lasts));
  const samples = new Float32Array(Math.ceil(end * rate));
  for (const { hz, at, lasts } of tones) {
    const n = Math.floor(lasts * rate);
    for (let i = 0; i < n; i++) {
      const edge = Math.min(1, i / (EDGE_S * rate), (n - i) / (EDGE_S * rate));
      samples[Math.floor(at * rate) + i] = LOUDNESS * edge * Math.sin((2 * Math.PI * hz * i) / rate);
    }
  }
  return samples;
}
