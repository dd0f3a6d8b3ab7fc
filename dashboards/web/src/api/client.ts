// The typed REST client: one method per route that the page uses, every failure an ApiError.
import type {
  Alert,
  AlertEvent,
  AnnounceAsked,
  AnnouncedTest,
  Buckets,
  Calibration,
  Gateway,
  Latest,
  Page,
  Point,
  Problem,
  Refused,
  Zone,
} from './types';

export type FailureKind = 'network' | 'timeout' | 'refused' | 'missing' | 'busy' | 'server' | 'request';

/** A request that failed, in terms the page can put into words. */
export class ApiError extends Error {
  constructor(
    readonly kind: FailureKind,
    readonly status: number,
    readonly detail: string,
  ) {
    super(`${kind} ${status} ${detail}`.trim());
    this.name = 'ApiError';
  }
}

export interface ClientOptions {
  base: string;
  fetch: typeof fetch;
  /** The desk name that commands are signed with. */
  actor: () => string;
  /** A key that is new for every command, so that a repeat of the same request changes nothing. */
  newKey: () => string;
  /** Told of every answer: monotonic ms when it was asked and when it came, and the server's own date. */
  onAnswer?: (asked: number, came: number, serverDateMs: number) => void;
  monotonic: () => number;
  timeoutMs?: number;
}

const PAGE = 1000;

function kindOf(status: number): FailureKind {
  if (status === 404) return 'missing';
  if (status === 409) return 'refused';
  if (status === 429 || status === 503) return 'busy';
  return status >= 500 ? 'server' : 'request';
}

async function problemOf(answer: Response): Promise<ApiError> {
  let problem: Problem = {};
  try {
    problem = (await answer.json()) as Problem;
  } catch {
    // Not every failure is a problem document: a proxy answers in HTML.
  }
  return new ApiError(kindOf(answer.status), answer.status, problem.detail ?? problem.title ?? answer.statusText);
}

/** Header values are ASCII; a desk name may be Kazakh or Russian, so it travels percent-encoded. */
export const encodeActor = (name: string): string => encodeURIComponent(name).replaceAll('%20', ' ');

export class Client {
  constructor(private readonly options: ClientOptions) {}

  /** The address of a route. */
  url(route: string): string {
    return this.options.base + route;
  }

  /** Yield the pages of a list until there is no next one. */
  async *pages<T>(route: string): AsyncGenerator<T[]> {
    const join = route.includes('?') ? '&' : '?';
    let cursor: string | null = '';
    do {
      const more: string = cursor ? `&cursor=${encodeURIComponent(cursor)}` : '';
      const page: Page<T> = await this.ask<Page<T>>(`${route}${join}limit=${PAGE}${more}`);
      yield page.items;
      cursor = page.next;
    } while (cursor);
  }

  alerts = (): AsyncGenerator<Alert[]> => this.pages<Alert>('alerts');
  points = (): AsyncGenerator<Point[]> => this.pages<Point>('points');
  latest = (): Promise<{ items: Latest[] }> => this.ask('readings/latest');
  zones = (): Promise<{ items: Zone[] }> => this.ask('zones');
  gateways = (): Promise<{ items: Gateway[] }> => this.ask('gateways');
  life = (id: string): Promise<Page<AlertEvent>> => this.ask(`alerts/${encodeURIComponent(id)}/events?limit=${PAGE}`);

  /** Readings of a point in equal buckets between two times (ms). */
  buckets(point: number, fromMs: number, toMs: number, buckets: number): Promise<Buckets> {
    const iso = (ms: number) => encodeURIComponent(new Date(ms).toISOString());
    return this.ask(`points/${point}/readings?from=${iso(fromMs)}&to=${iso(toMs)}&buckets=${buckets}`);
  }

  calibrations = (query: string): Promise<Page<Calibration>> => this.ask(`calibrations?${query}`);
  announced = (): Promise<Page<AnnouncedTest>> => this.ask('calibrations/announced');
  announce = (asked: AnnounceAsked): Promise<Page<AnnouncedTest>> => this.command('calibrations/announced', asked);
  endTest = (place: string): Promise<Page<AnnouncedTest>> => this.command('calibrations/announced/end', { place });

  acknowledge = (id: string, comment = ''): Promise<Alert> => this.command(`alerts/${encodeURIComponent(id)}/acknowledge`, { comment });
  acknowledgeMany = (ids: string[]): Promise<{ items: Alert[]; refused: Refused[] }> => this.command('alerts/acknowledge', { ids });
  comment = (id: string, comment: string): Promise<Alert> => this.command(`alerts/${encodeURIComponent(id)}/comment`, { comment });

  private command<T>(route: string, body: object): Promise<T> {
    return this.ask<T>(route, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: {
        'content-type': 'application/json',
        'x-actor': encodeActor(this.options.actor()),
        'idempotency-key': this.options.newKey(),
      },
    });
  }

  /** Ask one route; the answer's body, or an ApiError. */
  async ask<T>(route: string, init: RequestInit = {}): Promise<T> {
    const { monotonic, onAnswer, timeoutMs = 10_000 } = this.options;
    const asked = monotonic();
    let answer: Response;
    try {
      answer = await this.options.fetch(this.url(route), { cache: 'no-store', signal: AbortSignal.timeout(timeoutMs), ...init });
    } catch (error) {
      const late = error instanceof DOMException && error.name === 'TimeoutError';
      throw new ApiError(late ? 'timeout' : 'network', 0, '');
    }
    const date = Date.parse(answer.headers.get('date') ?? '');
    if (onAnswer && Number.isFinite(date)) onAnswer(asked, monotonic(), date);
    if (!answer.ok) throw await problemOf(answer);
    try {
      return (await answer.json()) as T;
    } catch {
      throw new ApiError('server', answer.status, 'the answer is no JSON');
    }
  }
}
