// The keys of the alert list. They work only while the list has the focus (WCAG 2.1.4).

export type ListAction =
  | { do: 'move'; by: 1 | -1; page: boolean; extend: boolean }
  | { do: 'end'; last: boolean }
  | { do: 'priority'; priority: number }
  | { do: 'acknowledge' | 'comment' | 'details' | 'silence' | 'search' | 'zone' | 'help' | 'escape' };

type Press = Pick<KeyboardEvent, 'key' | 'code' | 'shiftKey' | 'ctrlKey' | 'altKey' | 'metaKey'>;

const move = (by: 1 | -1, page: boolean, extend: boolean): ListAction => ({ do: 'move', by, page, extend });

/** By position on the keyboard: A, C, J, K, Z lie where they lie, whether the layout is Kazakh, Russian or English. */
const BY_CODE: Record<string, (shift: boolean) => ListAction> = {
  KeyJ: (shift) => move(1, false, shift),
  KeyK: (shift) => move(-1, false, shift),
  KeyA: () => ({ do: 'acknowledge' }),
  KeyC: () => ({ do: 'comment' }),
  KeyZ: () => ({ do: 'zone' }),
  Slash: (shift) => ({ do: shift ? 'help' : 'search' }),
};

const BY_KEY: Record<string, (shift: boolean) => ListAction> = {
  ArrowDown: (shift) => move(1, false, shift),
  ArrowUp: (shift) => move(-1, false, shift),
  PageDown: () => move(1, true, false),
  PageUp: () => move(-1, true, false),
  Home: () => ({ do: 'end', last: false }),
  End: () => ({ do: 'end', last: true }),
  Enter: () => ({ do: 'details' }),
  ' ': () => ({ do: 'silence' }),
  '/': () => ({ do: 'search' }),
  '?': () => ({ do: 'help' }),
  Escape: () => ({ do: 'escape' }),
};

/** What a key press asks for, or null. */
export function listAction(press: Press): ListAction | null {
  if (press.ctrlKey || press.altKey || press.metaKey) return null;
  const byKey = BY_KEY[press.key];
  if (byKey) return byKey(press.shiftKey);
  const digit = /^(?:Digit|Numpad)([1-4])$/.exec(press.code);
  if (digit && !press.shiftKey) return { do: 'priority', priority: Number(digit[1]) };
  return BY_CODE[press.code]?.(press.shiftKey) ?? null;
}
