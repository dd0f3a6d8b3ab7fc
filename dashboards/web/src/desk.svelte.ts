// What the operator has in hand: selection, open dialogs, commands under way and their outcome in words.
import { ApiError } from './api/client';
import type { Alert, AnnounceAsked } from './api/types';
import { isUnacknowledged } from './data/order';
import type { Model } from './data/model';
import { t } from './i18n/i18n.svelte';
import type { Key } from './i18n/en';
import type { client as Service } from './session';

export const MOST_AT_ONCE = 100;

export type Dialog = { kind: 'comment' | 'details'; alert: Alert } | { kind: 'help' } | { kind: 'shift' | 'gateways' | 'tests' } | null;

/** A failure in the operator's words, with the service's own detail behind it. */
export function failure(error: unknown): string {
  if (!(error instanceof ApiError)) return t('fail_server');
  return `${t(`fail_${error.kind}` as Key)} ${error.detail}`.trim();
}

export class Desk {
  /** The line the keys act on. */
  cursor = $state<string | null>(null);
  /** All selected lines, the cursor among them. */
  selected = $state<ReadonlySet<string>>(new Set());
  dialog = $state<Dialog>(null);
  sending = $state<ReadonlySet<string>>(new Set());
  notice = $state<{ bad: boolean; text: string } | null>(null);

  constructor(
    private readonly model: Model,
    private readonly client: typeof Service,
  ) {}

  select(id: string | null, also: readonly string[] = []): void {
    this.cursor = id;
    this.selected = new Set(id === null ? [] : [id, ...also]);
  }

  /** Why commands are not possible now; empty when they are. */
  hindrance(): string {
    const { link } = this.model;
    return link === 'live' || link === 'late' ? '' : t('disabledLost');
  }

  /** Acknowledge alerts the operator sees; the page changes only after the service's answer. */
  async acknowledge(ids: readonly string[]): Promise<void> {
    const open = ids.filter((id) => {
      const alert = this.model.alerts.get(id);
      return alert && isUnacknowledged(alert) && !this.sending.has(id);
    });
    if (open.length === 0) return;
    if (this.hindrance()) return this.fail('failedAcknowledge', this.hindrance());
    const now = open.slice(0, MOST_AT_ONCE);
    this.sending = new Set([...this.sending, ...now]);
    try {
      const [only] = now;
      const { items, refused } =
        now.length === 1 && only
          ? { items: [await this.client.acknowledge(only)], refused: [] }
          : await this.client.acknowledgeMany(now);
      for (const alert of items) this.model.commanded(alert);
      const done = t('doneAcknowledged', { n: items.length });
      const [first] = refused;
      this.notice = first
        ? { bad: true, text: `${done}. ${t('refusedOfMany', { n: refused.length })} ${first.detail}` }
        : { bad: false, text: done };
    } catch (error) {
      this.fail('failedAcknowledge', failure(error));
    } finally {
      this.sending = new Set([...this.sending].filter((id) => !now.includes(id)));
    }
  }

  /** Add a comment; true when the service has it. */
  async comment(id: string, text: string): Promise<string> {
    if (this.hindrance()) return `${t('failedComment')} ${this.hindrance()}`;
    try {
      this.model.commanded(await this.client.comment(id, text));
      this.notice = { bad: false, text: t('doneCommented') };
      return '';
    } catch (error) {
      return `${t('failedComment')} ${failure(error)}`;
    }
  }

  /** Announce a test of meters; why it failed, empty when the service has it. */
  announce(asked: AnnounceAsked): Promise<string> {
    return this.ofTests(() => this.client.announce(asked), 'doneAnnounced');
  }

  /** End an announced test now; why it failed, empty when the service has it. */
  endTest(place: string): Promise<string> {
    return this.ofTests(() => this.client.endTest(place), 'doneTestEnded');
  }

  private async ofTests(command: () => Promise<{ items: unknown[] }>, done: Key): Promise<string> {
    if (this.hindrance()) return `${t('failedAnnounce')} ${this.hindrance()}`;
    try {
      const { items } = await command();
      this.notice = { bad: false, text: t(done, { n: items.length }) };
      return '';
    } catch (error) {
      return `${t('failedAnnounce')} ${error instanceof ApiError && error.kind === 'missing' ? error.detail : failure(error)}`;
    }
  }

  private fail(key: Key, why: string): void {
    this.notice = { bad: true, text: `${t(key)} ${why}` };
  }
}
