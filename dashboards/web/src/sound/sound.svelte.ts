// The desk's sound: off until the shift begins, blocked while the browser forbids it, else as the alerts ask.
import type { Model } from '../data/model';
import { keep, settings } from '../settings.svelte';
import { Silence } from './decide';
import type { Sounding } from './patterns';
import { Player } from './player';

class Sound {
  /** Whether the browser lets us sound. */
  running = $state(false);
  /** What sounds now. */
  now = $state<Sounding | null>(null);
  /** What would sound if the browser let us. */
  wanted = $state<Sounding | null>(null);
  private player: Player | null = null;
  private readonly silences = new Silence();
  private model: Model | null = null;

  get on(): boolean {
    return this.running && settings.sound;
  }

  /** Follow a model's alerts and link; kiosks that allow sound without a click are on at once. */
  attach(model: Model): void {
    this.model = model;
    try {
      this.player = new Player((running) => {
        this.running = running;
        this.update();
      });
    } catch {
      return; // no sound device: the banner stays
    }
    model.subscribe('alerts', () => this.update());
    let link = model.link;
    model.subscribe('link', () => {
      if (link === model.link) return;
      link = model.link;
      this.update();
    });
    const wake = () => settings.sound && !this.running && void this.player?.resume().catch(() => {});
    addEventListener('pointerdown', wake);
    addEventListener('keydown', wake);
  }

  /** Begin the shift: sound the test; call it from a click. */
  async begin(): Promise<void> {
    this.player ??= new Player((running) => (this.running = running));
    await this.player.resume();
    keep({ sound: true });
    this.player.play(null);
    this.player.play('test');
  }

  /** Stop what sounds now; a new alarm sounds again. */
  silence(): void {
    if (!this.model) return;
    this.silences.silence(this.model.alerts.sorted, this.model.link);
    this.update();
  }

  private update(): void {
    const { model, player } = this;
    if (!model || !player) return;
    this.wanted = this.silences.sounding(model.alerts.sorted, model.link);
    if (!this.on) {
      this.now = null;
      return;
    }
    if (this.wanted === 'p3') {
      player.play('p3');
      this.silences.pipped(model.alerts.sorted);
      this.wanted = this.now = null;
      return;
    }
    this.now = this.wanted;
    // A pip or the test that still sounds is cut short only by something that must sound.
    if (this.wanted !== null || !player.isOneShot) player.play(this.wanted);
  }
}

export const sound = new Sound();
