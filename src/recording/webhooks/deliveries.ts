// How the events of a recording fared: what a delivery remembers, which of it is due, and what an operator sees. Pure; time is passed in.
import { isEnded } from '../stage.ts';
import type { RecordingView } from '../view.ts';
import { eventOfStage, isLast, type WebhookEvent, webhookEvent } from './events.ts';
import type { WebhookEventName } from './names.ts';
import { nameOfReceiver, type Receiver, wants } from './receivers.ts';
import { type DeliveryProblem, GIVE_UP_AFTER_MS, isFinal, retryDelayMs, type SendOutcome } from './retry.ts';

/** An event and how it fared at each receiver that wants it. */
export interface KeptEvent extends WebhookEvent {
  deliveries: KeptDelivery[];
}

export interface KeptDelivery {
  /** Place in the list of receivers. */
  receiver: number;
  state: DeliveryState;
  /** Since it was announced, or replayed. */
  tries: number;
  /** Of the last try, unix ms. */
  triedAtMs?: number;
  /** HTTP, of the last try. */
  status?: number;
  problem?: { code: DeliveryProblem; message: string };
  /** While it is pending no try begins later, unix ms. */
  giveUpAtMs: number;
}

export const DELIVERY_STATES = ['pending', 'delivered', 'failed'] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

/** What an operator sees of an event. */
export interface EventDeliveries {
  sequence: number;
  id: string;
  event: WebhookEventName;
  atMs: number;
  deliveries: (Omit<KeptDelivery, 'receiver' | 'giveUpAtMs'> & { receiver: string })[];
}

/** All events; one of them; or those of which a delivery failed. */
export interface Replay {
  sequence?: number;
  failed?: boolean;
}

/** What one payload of Temporal's may hold is 2 MB, encrypted. */
const HANDED_ON_BYTES = 1_000_000;

export class Deliveries {
  readonly receivers: readonly Receiver[];
  readonly events: KeptEvent[];
  /** Receivers that want nothing more. */
  private readonly gone = new Set<number>();

  constructor(receivers: readonly Receiver[], kept: readonly KeptEvent[] = []) {
    this.receivers = receivers;
    this.events = kept.map((event) => ({
      ...event,
      deliveries: event.deliveries.map((delivery) => ({ ...delivery })),
    }));
  }

  /** Announced twice is announced once. */
  add(event: WebhookEvent): void {
    if (this.events.some(({ id }) => id === event.id)) return;
    const deliveries = this.receivers.flatMap((receiver, index) =>
      wants(receiver, event.event) ? [this.newDelivery(index, event.atMs)] : [],
    );
    this.events.push({ ...event, deliveries });
  }

  private newDelivery(receiver: number, atMs: number): KeptDelivery {
    const delivery = { receiver, tries: 0, giveUpAtMs: atMs + GIVE_UP_AFTER_MS };
    return this.gone.has(receiver)
      ? { ...delivery, state: 'failed', problem: GONE }
      : { ...delivery, state: 'pending' };
  }

  /** The last event of the recording is known. */
  get isComplete(): boolean {
    return this.events.some(({ event }) => isLast(event));
  }

  get hasPending(): boolean {
    return this.events.some(({ deliveries }) => deliveries.some(isPending));
  }

  get failures(): number {
    return this.events.flatMap(({ deliveries }) => deliveries).filter(({ state }) => state === 'failed').length;
  }

  /** What this receiver is to be sent next: its events go out in order. */
  next(receiver: number): { event: KeptEvent; delivery: KeptDelivery } | undefined {
    for (const event of this.events) {
      const delivery = event.deliveries.find((one) => one.receiver === receiver && isPending(one));
      if (delivery) return { event, delivery };
    }
    return undefined;
  }

  /** @returns how long to wait until the next try; undefined: it is settled */
  tried(delivery: KeptDelivery, outcome: SendOutcome, nowMs: number, random: number): number | undefined {
    delivery.tries += 1;
    delivery.triedAtMs = nowMs;
    delete delivery.status;
    delete delivery.problem;
    if (outcome.status !== undefined) delivery.status = outcome.status;
    if (outcome.kind === 'delivered') {
      delivery.state = 'delivered';
      return undefined;
    }
    const { code, message, retryAfterMs } = outcome;
    delivery.problem = { code, message };
    const delayMs = retryDelayMs(delivery.tries, random, retryAfterMs);
    if (!isFinal(code) && nowMs + delayMs <= delivery.giveUpAtMs) return delayMs;
    delivery.state = 'failed';
    if (code === 'gone') this.giveUpOn(delivery.receiver);
    return undefined;
  }

  private giveUpOn(receiver: number): void {
    this.gone.add(receiver);
    for (const delivery of this.ofReceiver(receiver))
      if (isPending(delivery)) Object.assign(delivery, { state: 'failed', problem: GONE });
  }

  private ofReceiver(receiver: number): KeptDelivery[] {
    return this.events.flatMap(({ deliveries }) => deliveries).filter((one) => one.receiver === receiver);
  }

  /** @returns the events that this is about */
  chosen({ sequence, failed }: Replay): KeptEvent[] {
    return this.events.filter(
      (event) =>
        event.deliveries.length > 0 &&
        (sequence === undefined || event.sequence === sequence) &&
        (!failed || event.deliveries.some(({ state }) => state === 'failed')),
    );
  }

  /** To be sent anew. @returns what was */
  replay(which: Replay, nowMs: number): KeptEvent[] {
    const chosen = this.chosen(which);
    for (const { deliveries } of chosen)
      for (const delivery of deliveries) {
        if (which.failed && delivery.state !== 'failed') continue;
        this.gone.delete(delivery.receiver);
        Object.assign(delivery, { state: 'pending', tries: 0, giveUpAtMs: nowMs + GIVE_UP_AFTER_MS });
      }
    return chosen;
  }

  /** The recording ended without a word: its workflow was terminated. @param known how it ended; absent: what it said last counts */
  addTermination(nowMs: number, known?: RecordingView): void {
    const last = this.events.at(-1);
    if (last && known && isEnded(known.stage)) {
      this.add(webhookEvent(eventOfStage(known), last.sequence + 1, known, nowMs));
      return;
    }
    const view = last && recordingIn(last);
    if (!view) return;
    const message = 'its workflow was ended from outside';
    const ended: RecordingView = {
      ...view,
      stage: 'failed',
      endedAtMs: nowMs,
      reason: { code: 'terminated', message },
    };
    delete ended.waiting;
    this.add(webhookEvent('recording.failed', last.sequence + 1, ended, nowMs));
  }

  /** The newest, as many as may be handed on. */
  handedOn(): KeptEvent[] {
    let bytes = 0;
    const fits = this.events.toReversed().filter(({ body }) => {
      bytes += body.length;
      return bytes <= HANDED_ON_BYTES;
    });
    return fits.reverse();
  }

  shown(events: readonly KeptEvent[] = this.events): EventDeliveries[] {
    return events.map(({ sequence, id, event, atMs, deliveries }) => ({
      sequence,
      id,
      event,
      atMs,
      deliveries: deliveries.map(({ receiver, giveUpAtMs: _, ...rest }) => ({
        receiver: nameOfReceiver(this.receivers[receiver] as Receiver),
        ...rest,
      })),
    }));
  }
}

const GONE = { code: 'gone', message: 'the receiver answered 410 before' } as const;

function isPending({ state }: KeptDelivery): boolean {
  return state === 'pending';
}

function recordingIn({ body }: WebhookEvent): RecordingView | undefined {
  const { recording } = JSON.parse(body) as { recording?: RecordingView };
  return recording?.parts ? recording : undefined;
}
