import { describe, expect, it } from 'vitest';
import { en, type Key } from './en';
import { age, clockTime, figure, seconds, shortTime, zoneOffset } from './format';
import { preferredLanguage } from './language';
import { say, words } from './words';

const keys = Object.keys(en) as Key[];
const KAZAKH = /[әғқңөұүһі]/i;
const CYRILLIC = /[а-яёәғқңөұүһі]/i;
const braces = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(([b]) => b).sort();
/** Texts of signs and braces alone: the same in every language. */
const WORDLESS: Key[] = ['staleAge', 'saidSelected'];
/** Words that Kazakh and Russian write alike. */
const SHARED: Key[] = ['ageS', 'ageMin', 'part_records', 'part_disk', 'part_gateway', 'sensor', ...WORDLESS];

describe('languages', () => {
  it('writes seconds as each language does', () => {
    expect((['kk', 'ru', 'en'] as const).map((language) => seconds(language, -2.46))).toEqual(['−2,5 с', '−2,5 с', '−2.5 s']);
  });

  it.each(['kk', 'ru', 'en'] as const)('%s has every key, no empty text, and no key too many', (language) => {
    expect(Object.keys(words[language]).sort()).toEqual([...keys].sort());
    expect(keys.filter((key) => !words[language][key].trim())).toEqual([]);
  });

  it.each(['kk', 'ru'] as const)('%s fills the same braces as English', (language) => {
    expect(keys.filter((key) => braces(words[language][key]).join() !== braces(en[key]).join())).toEqual([]);
  });

  it.each(['kk', 'ru'] as const)('%s is written in Cyrillic', (language) => {
    expect(keys.filter((key) => !CYRILLIC.test(words[language][key]) && !WORDLESS.includes(key))).toEqual([]);
  });

  it('Kazakh is Kazakh: no text is the Russian one, and no long text lacks a Kazakh letter', () => {
    expect(keys.filter((key) => words.kk[key] === words.ru[key] && !SHARED.includes(key))).toEqual([]);
    expect(keys.filter((key) => words.kk[key].length > 35 && !KAZAKH.test(words.kk[key]))).toEqual([]);
  });

  it('Russian is not Kazakh', () => {
    expect(keys.filter((key) => KAZAKH.test(words.ru[key]))).toEqual([]);
  });

  it('speaks the first of the browser’s languages that it knows, else English', () => {
    expect(preferredLanguage(['de-DE', 'kk-KZ', 'ru'])).toBe('kk');
    expect(preferredLanguage(['de'])).toBe('en');
  });

  it('fills braces and leaves unknown ones visible', () => {
    expect(say('en', 'newIn10', { n: 3 })).toBe('New in 10 min: 3');
    expect(say('en', 'newIn10')).toContain('{n}');
  });
});

describe('format', () => {
  const noon = Date.parse('2026-11-21T12:03:05+05:00');

  it('writes the site’s time, not this computer’s', () => {
    expect(clockTime(noon, 300)).toBe('12:03:05');
    expect(clockTime(Number.NaN, 300)).toBe('— — —');
    expect([zoneOffset(300), zoneOffset(-210)]).toEqual(['+05:00', '−03:30']);
  });

  it('adds the day when it is another one', () => {
    expect(shortTime(noon - 86_400_000, noon, 300)).toBe('20.11 12:03');
    expect(shortTime(noon - 60_000, noon, 300)).toBe('12:02:05');
  });

  it.each([
    [5400, '5 s'],
    [99_000, '99 s'],
    [120_000, '2 min'],
    [7_200_000, '2 h'],
    [200_000_000, '2 d'],
  ])('age of %i ms is %s', (ms, text) => {
    expect(age('en', ms)).toBe(text);
  });

  it.each([
    [0.4321, '0.432'],
    [1.3, '1.30'],
    [48.26, '48.3'],
    [1013.2, '1013'],
    [6, '6'],
    [0, '0'],
    [-0.5, '-0.50'],
    [null, '—'],
  ])('figure of %s is %s', (value, text) => {
    expect(figure('en', value)).toBe(text);
  });

  it('writes a comma where people do', () => {
    expect(figure('kk', 0.5)).toBe('0,50');
  });
});
