// Plays patterns through WebAudio; no sound files.
import { PATTERNS, render, type Sounding } from './patterns';

export class Player {
  private readonly context: AudioContext;
  private source: AudioBufferSourceNode | null = null;
  private playing: Sounding | null = null;

  constructor(onState: (running: boolean) => void) {
    this.context = new AudioContext();
    this.context.onstatechange = () => onState(this.running);
    onState(this.running);
  }

  get running(): boolean {
    return this.context.state === 'running';
  }

  /** Whether something sounds that ends by itself: a pip or the test. */
  get isOneShot(): boolean {
    return this.playing !== null && PATTERNS[this.playing].every === 0;
  }

  /** Ask the browser to let us sound; it agrees only within a click or a key press. */
  async resume(): Promise<void> {
    await this.context.resume();
  }

  /** Sound this from now on, or nothing. */
  play(sounding: Sounding | null): void {
    if (sounding === this.playing) return;
    this.source?.stop();
    this.source = null;
    this.playing = sounding;
    if (sounding === null) return;
    const pattern = PATTERNS[sounding];
    const samples = render(pattern, this.context.sampleRate);
    const buffer = this.context.createBuffer(1, samples.length, this.context.sampleRate);
    buffer.copyToChannel(samples, 0);
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.loop = pattern.every > 0;
    source.onended = () => {
      if (this.source === source) this.playing = this.source = null;
    };
    source.connect(this.context.destination);
    source.start();
    this.source = source;
  }
}
