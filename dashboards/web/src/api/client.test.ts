import { describe, expect, it } from 'vitest';
import { ApiError, Client, encodeActor } from './client';

type Asked = { url: string; init: RequestInit };

function client(...answers: (Response | Error)[]): { asked: Asked[]; dates: number[]; it: Client } {
  const asked: Asked[] = [];
  const dates: number[] = [];
  const it = new Client({
    base: '/api/v1/',
    fetch: async (url, init) => {
      asked.push({ url: String(url), init: init ?? {} });
      const answer = answers.shift() ?? new Response('{}');
      if (answer instanceof Error) throw answer;
      return answer;
    },
    actor: () => 'Пульт 1',
    newKey: () => `key-${asked.length}`,
    monotonic: () => 5,
    onAnswer: (_asked, _came, date) => dates.push(date),
  });
  return { asked, dates, it };
}

const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status });
const failure = (promise: Promise<unknown>) => promise.then(() => null, (e: unknown) => e as ApiError);

describe('client', () => {
  it('reads every page of a list', async () => {
    const made = client(json({ items: [1, 2], next: 'c 1' }), json({ items: [3], next: null }));
    const items: unknown[] = [];
    for await (const page of made.it.alerts()) items.push(...page);
    expect(items).toEqual([1, 2, 3]);
    expect(made.asked.map((a) => a.url)).toEqual(['/api/v1/alerts?limit=1000', '/api/v1/alerts?limit=1000&cursor=c%201']);
  });

  it('signs a command with the desk and a key of its own', async () => {
    const made = client(json({ id: 'a' }));
    await made.it.acknowledge('a b');
    expect(made.asked[0]?.url).toBe('/api/v1/alerts/a%20b/acknowledge');
    const headers = new Headers(made.asked[0]?.init.headers);
    expect(decodeURIComponent(headers.get('x-actor') ?? '')).toBe('Пульт 1');
    expect(headers.get('idempotency-key')).toBe('key-0');
    expect(encodeActor('desk 2')).toBe('desk 2');
  });

  it.each([
    [409, 'refused'],
    [404, 'missing'],
    [503, 'busy'],
    [500, 'server'],
    [422, 'request'],
  ] as const)('a %i is told as %s, with the detail of the service', async (status, kind) => {
    const error = await failure(client(json({ detail: 'because' }, status)).it.acknowledge('a'));
    expect([error?.kind, error?.status, error?.detail]).toEqual([kind, status, 'because']);
  });

  it('an answer of a proxy in HTML is an error too, not a crash', async () => {
    const error = await failure(client(new Response('<html>', { status: 502, statusText: 'Bad Gateway' })).it.zones());
    expect([error?.kind, error?.detail]).toEqual(['server', 'Bad Gateway']);
  });

  it('no connection and no answer in time are told apart', async () => {
    expect((await failure(client(new TypeError('failed')).it.zones()))?.kind).toBe('network');
    expect((await failure(client(new DOMException('late', 'TimeoutError')).it.zones()))?.kind).toBe('timeout');
  });

  it('passes on the server’s date, from which the page learns the server’s time', async () => {
    const made = client(new Response('{"items":[]}', { headers: { date: 'Sat, 21 Nov 2026 07:00:00 GMT' } }));
    await made.it.zones();
    expect(made.dates).toEqual([Date.UTC(2026, 10, 21, 7)]);
  });
});
