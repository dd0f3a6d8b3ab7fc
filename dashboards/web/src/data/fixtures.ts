// Builders of JSON shapes for the unit tests.
import type { Alert, AlertEvent, AlertState, EventKind, Point, Priority } from '../api/types';

export const T0 = Date.parse('2026-11-21T12:00:00+05:00');
export const iso = (ms: number): string => new Date(ms).toISOString();

export function alert(id: string, change: Partial<Alert> & { state?: AlertState; priority?: Priority } = {}): Alert {
  return {
    id,
    rule: 'methane-high',
    place: `mine/${id}/methane`,
    site: 'mine',
    zone: 'face',
    quantity: 'methane',
    priority: 1,
    paged: true,
    state: 'unacknowledged',
    active: true,
    raised: iso(T0),
    changed: iso(T0),
    value: 1.3,
    unit: '% CH4',
    limit: 1,
    detector: 'value',
    message: { kk: 'Метан көп', ru: 'Метан', en: 'Methane' },
    why: { kk: '', ru: '', en: '' },
    citation: '',
    verified: true,
    retrospective: false,
    acknowledged_by: '',
    row: 1,
    origin: '',
    now: null,
    now_since: null,
    ...change,
  };
}

export function event(row: number, kind: EventKind, of: Alert): AlertEvent {
  return {
    row,
    time: of.raised,
    gateway_time: null,
    service_time: of.raised,
    event: kind,
    actor: '',
    comment: '',
    hash: '',
    source: '',
    alert: { ...of, row },
  };
}

export function point(id: number, change: Partial<Point> = {}): Point {
  return {
    id,
    place: `mine/p${id}/methane`,
    site: 'mine',
    gateway: 'gw',
    device: `p${id}`,
    metric: 'methane',
    quantity: 'methane',
    unit: '% CH4',
    zone: 'face',
    low: 0,
    high: 100,
    limits: [],
    interval_s: 1,
    ...change,
  };
}
