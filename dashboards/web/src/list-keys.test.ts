import { describe, expect, it } from 'vitest';
import { listAction } from './list-keys';

const press = (key: string, code = '', modifiers = {}) =>
  listAction({ key, code, shiftKey: false, ctrlKey: false, altKey: false, metaKey: false, ...modifiers });

describe('keys of the list', () => {
  it('acknowledge by the place of the key, on an English, a Russian and a Kazakh layout', () => {
    for (const key of ['a', 'ф', 'Ф']) expect(press(key, 'KeyA')).toEqual({ do: 'acknowledge' });
  });

  it.each([
    ['ArrowDown', '', { do: 'move', by: 1, page: false, extend: false }],
    ['л', 'KeyK', { do: 'move', by: -1, page: false, extend: false }],
    ['Enter', 'Enter', { do: 'details' }],
    [' ', 'Space', { do: 'silence' }],
    ['2', 'Digit2', { do: 'priority', priority: 2 }],
    ['4', 'Numpad4', { do: 'priority', priority: 4 }],
    ['.', 'Slash', { do: 'search' }],
    ['я', 'KeyZ', { do: 'zone' }],
    ['Escape', 'Escape', { do: 'escape' }],
  ])('%s (%s)', (key, code, action) => {
    expect(press(key, code)).toEqual(action);
  });

  it('the help is a shifted key on every layout', () => {
    expect(press('?', 'Slash', { shiftKey: true })).toEqual({ do: 'help' });
    expect(press(',', 'Slash', { shiftKey: true })).toEqual({ do: 'help' });
  });

  it('leaves the browser its own: Ctrl-A selects all, it acknowledges nothing', () => {
    expect(press('a', 'KeyA', { ctrlKey: true })).toBeNull();
    expect(press('5', 'Digit5')).toBeNull();
  });
});
