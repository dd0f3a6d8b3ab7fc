// Which of the three languages to speak.
import type { Language } from '../api/types';

export const LANGUAGES = [
  ['kk', 'Қаз', 'Қазақша'],
  ['ru', 'Рус', 'Русский'],
  ['en', 'Eng', 'English'],
] as const satisfies readonly (readonly [Language, string, string])[];

export const isLanguage = (code: unknown): code is Language => code === 'kk' || code === 'ru' || code === 'en';

/** The first of the browser's languages that we speak; English when there is none. */
export function preferredLanguage(languages: readonly string[]): Language {
  for (const full of languages) {
    const code = full.slice(0, 2).toLowerCase();
    if (isLanguage(code)) return code;
  }
  return 'en';
}
