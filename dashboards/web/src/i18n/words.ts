// Looking up words: a key, a language, and what stands in the braces.
import type { Language } from '../api/types';
import { en, type Key, type Words } from './en';
import { kk } from './kk';
import { ru } from './ru';

export const words: Record<Language, Words> = { kk, ru, en };

export type Fill = Record<string, string | number>;

/** The text of a key, `{name}` replaced by `fill.name`. */
export function say(language: Language, key: Key, fill: Fill = {}): string {
  return words[language][key].replace(/\{(\w+)\}/g, (brace, name: string) => String(fill[name] ?? brace));
}

export const isKey = (key: string): key is Key => Object.hasOwn(en, key);
