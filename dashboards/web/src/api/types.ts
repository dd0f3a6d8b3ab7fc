// Every JSON shape that the service sends. Times are ISO 8601 with offset.

export type Language = 'kk' | 'ru' | 'en';
export type Text = Record<Language, string>;
export type Priority = 1 | 2 | 3 | 4;
export type AlertState = 'unacknowledged' | 'acknowledged' | 'returned-unacknowledged' | 'normal';

export interface Alert {
  id: string;
  rule: string;
  place: string;
  site: string;
  zone: string;
  quantity: string;
  priority: Priority;
  paged: boolean;
  state: AlertState;
  active: boolean;
  raised: string;
  changed: string;
  value: number | null;
  unit: string;
  limit: number | null;
  detector: string;
  message: Text;
  why: Text;
  citation: string;
  verified: boolean;
  retrospective: boolean;
  acknowledged_by: string;
  row: number;
  /** Who found it: '' the service, a gateway, or both. */
  origin: '' | 'gateway' | 'both';
  /** What is known besides while it stands, and since when; null: nothing more than `why`. */
  now: Text | null;
  now_since: string | null;
}

export type EventKind = 'raised' | 'cleared' | 'acknowledged' | 'commented' | 'also-raised' | 'also-cleared' | 'tagged' | 'escalated' | 'explained' | 'tested' | 'test-announced' | 'changed';

export interface AlertEvent {
  row: number;
  time: string;
  gateway_time: string | null;
  service_time: string;
  event: EventKind;
  actor: string;
  comment: string;
  hash: string;
  /** The gateway that told it, site/gateway; '' is the service itself. */
  source: string;
  alert: Alert;
}

/** A line of the calibration ledger: one test of a meter, as far as it went. */
export interface Calibration {
  row: number;
  alert: string;
  place: string;
  site: string;
  zone: string;
  stage: 'tested' | 'over' | 'refuted';
  begin: string;
  end: string | null;
  before: number | null;
  found: number | null;
  unit: string;
  t90_s: number | null;
  recovery_s: number | null;
  announced_by: string;
  gas_pct: number | null;
  why: Text;
}

export interface AnnouncedTest {
  row: number;
  place: string;
  site: string;
  zone: string;
  from: string;
  to: string;
  by: string;
  gas_pct: number | null;
  comment: string;
  told: string;
}

/** What is asked of the service: one place or one zone. */
export interface AnnounceAsked {
  place?: string;
  zone?: string;
  to: string;
  gas_pct: number | null;
  comment: string;
}

export interface PointLimit {
  rule: string;
  detector: string;
  comparison: string;
  threshold: number;
  priority: Priority;
  citation: string;
  verified: boolean;
}

export interface Point {
  id: number;
  place: string;
  site: string;
  gateway: string;
  device: string;
  metric: string;
  quantity: string;
  unit: string;
  zone: string;
  low: number | null;
  high: number | null;
  limits: PointLimit[];
  interval_s: number;
}

export interface Latest {
  point: number;
  time: string;
  age_s: number;
  value: number | null;
  quality: number;
  quality_text: string;
}

export interface Zone {
  site: string;
  zone: string;
  points: number;
  worst_priority: Priority | null;
  unacknowledged: number;
  active: number;
}

export interface Gateway {
  site: string;
  gateway: string;
  online: boolean;
  since: string | null;
  last_seen: string | null;
  clock_offset_ms: number | null;
  clock: string;
  spool_rows: number;
  spool_oldest: string | null;
  version: string;
  points: number;
  births: number;
  bd_seq: number | null;
  sequence_gaps: number;
  duplicates: number;
  rebirths: number;
  problems: string[];
}

export interface Buckets {
  point: number;
  from: string;
  to: string;
  coverage: number;
  start: string[];
  min: (number | null)[];
  max: (number | null)[];
  mean: (number | null)[];
  count: number[];
}

export interface Page<T> {
  items: T[];
  next: string | null;
}

/** Why one alert of many was not acknowledged. */
export interface Refused {
  id: string;
  status: number;
  code: string;
  detail: string;
  state: AlertState | null;
}

/** RFC 9457 problem document. */
export interface Problem {
  title?: string;
  detail?: string;
  status?: number;
  code?: string;
}

export interface ReadingFrame {
  time: string;
  point: number[];
  ts_ms: number[];
  value: (number | null)[];
  quality: number[];
}

export interface StateFrame {
  time: string;
  ready: boolean;
  problems: Record<string, string>;
  gateways: Gateway[];
  telemetry: string;
}

/** What the push stream carries; `id` is the journal row of an alert event. */
export type Frame =
  | { event: 'alert'; id: string; data: AlertEvent & { sent?: string } }
  | { event: 'reading'; id: string; data: ReadingFrame }
  | { event: 'state'; id: string; data: StateFrame }
  | { event: 'ping'; id: string; data: { time: string } }
  | { event: 'reset'; id: string; data: { time?: string } };
