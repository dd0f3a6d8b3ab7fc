// What this desk remembers in its browser: its name, its language, pinned trends, whether its sound is wanted.
import { isLanguage, preferredLanguage } from './i18n/language';
import type { Language } from './api/types';

const KEY = 'minewatch';

interface Stored {
  desk: string;
  language: Language;
  pinned: string[];
  sound: boolean;
}

function read(): Partial<Stored> {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Stored>;
  } catch {
    return {}; // private windows may forbid storage; the page works without
  }
}

const stored = read();
const asked = new URLSearchParams(location.search).get('lang');

export const settings: Stored = $state({
  desk: stored.desk || 'operator',
  language: [asked, stored.language].find(isLanguage) ?? preferredLanguage(navigator.languages),
  pinned: stored.pinned ?? [],
  sound: stored.sound ?? false,
});

/** Change settings and keep them. */
export function keep(change: Partial<Stored>): void {
  Object.assign(settings, change);
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // Not kept; said above.
  }
}
