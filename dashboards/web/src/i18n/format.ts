// Numbers, times and ages as people read them.
import type { Language } from '../api/types';
import { say } from './words';

const LOCALE: Record<Language, string> = { kk: 'ru-RU', ru: 'ru-RU', en: 'en-GB' };

const two = (n: number): string => String(n).padStart(2, '0');

/** Shift to the site's own clock; then the UTC getters read site time. */
const atSite = (ms: number, offsetMin: number): Date => new Date(ms + offsetMin * 60_000);

/** 12:03:05 by the site's clock. */
export function clockTime(ms: number, offsetMin: number): string {
  if (!Number.isFinite(ms)) return '— — —';
  const d = atSite(ms, offsetMin);
  return `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}`;
}

/** 2026-11-21 by the site's clock. */
export function dateOf(ms: number, offsetMin: number): string {
  const d = atSite(ms, offsetMin);
  return `${d.getUTCFullYear()}-${two(d.getUTCMonth() + 1)}-${two(d.getUTCDate())}`;
}

/** The time alone on the same day, else with day and month in front: 21.11 12:03. */
export function shortTime(ms: number, nowMs: number, offsetMin: number): string {
  if (!Number.isFinite(nowMs) || dateOf(ms, offsetMin) === dateOf(nowMs, offsetMin)) return clockTime(ms, offsetMin);
  const d = atSite(ms, offsetMin);
  return `${two(d.getUTCDate())}.${two(d.getUTCMonth() + 1)} ${two(d.getUTCHours())}:${two(d.getUTCMinutes())}`;
}

/** +05:00 */
export function zoneOffset(offsetMin: number): string {
  const size = Math.abs(offsetMin);
  return `${offsetMin < 0 ? '−' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

/** An age in its largest unit: 5 s, 12 min, 3 h, 2 d. */
export function age(language: Language, ms: number): string {
  if (!Number.isFinite(ms)) return '—';
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 100) return say(language, 'ageS', { n: s });
  if (s < 5400) return say(language, 'ageMin', { n: Math.round(s / 60) });
  if (s < 129_600) return say(language, 'ageH', { n: Math.round(s / 3600) });
  return say(language, 'ageD', { n: Math.round(s / 86_400) });
}

/** Three significant digits, but whole thousands: 0.0213, 1.02, 43.2, 1012. */
export function figure(language: Language, value: number | null | undefined): string {
  if (value == null || !Number.isFinite(value)) return '—';
  const size = Math.abs(value);
  const decimals = size === 0 || size >= 1000 ? 0 : Math.min(4, Math.max(0, 2 - Math.floor(Math.log10(size))));
  const trimmed = Number(value.toFixed(decimals));
  return new Intl.NumberFormat(LOCALE[language], {
    minimumFractionDigits: size >= 100 || Number.isInteger(value) ? 0 : Math.min(decimals, 2),
    maximumFractionDigits: decimals,
    useGrouping: false,
  }).format(trimmed);
}

/** A count with thousands set apart. */
export const count = (language: Language, n: number): string => new Intl.NumberFormat(LOCALE[language]).format(n);

/** Seconds with a tenth and their unit, negative ones with a minus sign: −2,5 с. */
export const seconds = (language: Language, s: number): string =>
  say(language, 'ageS', {
    n: new Intl.NumberFormat(LOCALE[language], { minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(s).replace('-', '−'),
  });
