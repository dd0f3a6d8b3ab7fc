// The page's own language, reactive: a template that calls t() runs again when it changes.
import type { Text } from '../api/types';
import { settings } from '../settings.svelte';
import type { Key } from './en';
import * as format from './format';
import { isKey, say, type Fill } from './words';

export const t = (key: Key, fill?: Fill): string => say(settings.language, key, fill);
export const pick = (text: Text): string => text[settings.language] || text.en;
export const age = (ms: number): string => format.age(settings.language, ms);
export const figure = (value: number | null | undefined): string => format.figure(settings.language, value);
export const count = (n: number): string => format.count(settings.language, n);
export const seconds = (s: number): string => format.seconds(settings.language, s);

/** The name of a part of the system; a part we have no word for keeps its own name. */
export function partName(part: string): string {
  const key = `part_${part.split(/[^a-z]/)[0]}`;
  return isKey(key) ? t(key) : part;
}
