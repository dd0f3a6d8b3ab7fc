import { mount } from 'svelte';
import './styles/fonts.css';
import './styles/tokens.css';
import './styles/base.css';
import App from './App.svelte';
import { model, sound } from './page';
import { start } from './session';

const BLINK_MS = 500;

const target = document.getElementById('app');
if (!target) throw new Error('index.html has no #app');
start();
sound.attach(model);
mount(App, { target });

// One phase for the whole page (1 Hz): all rings blink in step, and the styles are worked out twice a second only.
if (!matchMedia('(prefers-reduced-motion: reduce)').matches) {
  setInterval(() => document.body.classList.toggle('phase'), BLINK_MS);
}
