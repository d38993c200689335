// Brings the events of one recording to its receivers: to each in order, each tried for a day, one that is down in nobody's way. A workflow
// of its own, beside the recording: it is no demand, and nothing waits for it.
// Open from the first event until the last one is settled. It ends as failed when a delivery failed, so that Temporal's list shows it.
import {
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  log,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';
import {
  Deliveries,
  type EventDeliveries,
  type KeptDelivery,
  type KeptEvent,
} from '../recording/webhooks/deliveries.ts';
import { nameOfReceiver } from '../recording/webhooks/receivers.ts';
import type { SendOutcome } from '../recording/webhooks/retry.ts';
import { lookup, problemOf, sending } from './calls.ts';
import { announceSignal, type DeliveryInput, deliveriesQuery, keptQuery, replayUpdate } from './messages.ts';

/** As long as who replays waits for the answers. */
const REPLAY_MS = 15_000;

/** A recording that was terminated says nothing: somebody must look. */
const FIRST_LOOK_MS = 30 * 60_000;
const LONGEST_LOOK_MS = 12 * 3_600_000;

export async function delivery(input: DeliveryInput): Promise<EventDeliveries[]> {
  const deliveries = new Deliveries(input.receivers, input.kept);
  const lanes = input.receivers.map((_, index) => new Lane(deliveries, index, input.recordingId));
  // Asked to cancel, as the Web UI offers, it ends without what is not delivered yet.
  let cancelled = false;
  // The run of a replay has nothing to do before it was told what.
  let awaitsReplay = input.kept !== undefined;
  const replayed = () => {
    awaitsReplay = false;
  };
  CancellationScope.current().cancelRequested.catch(() => {
    cancelled = true;
  });
  setHandler(announceSignal, (events) => {
    for (const event of events) deliveries.add(event);
  });
  setHandler(deliveriesQuery, () => deliveries.shown());
  setHandler(keptQuery, () => ({ fleet: input.fleet, receivers: input.receivers, kept: deliveries.handedOn() }));
  setHandler(
    replayUpdate,
    async (which) => {
      replayed();
      const events = deliveries.replay(which, Date.now());
      const chosen = events.flatMap((event) => event.deliveries);
      for (const lane of lanes) lane.wake();
      await condition(() => chosen.every(({ state, tries }) => state !== 'pending' || tries > 0), REPLAY_MS);
      return deliveries.shown(events);
    },
    {
      validator: (which) => {
        if (deliveries.chosen(which).length === 0)
          throw ApplicationFailure.create({
            type: 'NoSuchEvent',
            message: 'there is no such event',
            nonRetryable: true,
          });
      },
    },
  );
  return CancellationScope.nonCancellable(async () => {
    const isDone = () => deliveries.isComplete && !deliveries.hasPending && !awaitsReplay && allHandlersFinished();
    const isOver = () => cancelled || isDone();
    if (awaitsReplay) void condition(() => !awaitsReplay, REPLAY_MS).then(replayed);
    for (const lane of lanes) void lane.run(isOver);
    void untilRecordingEnds(deliveries, input.recordingId, isOver);
    await condition(isOver);
    await condition(allHandlersFinished);
    const { failures } = deliveries;
    if (failures === 0 && !cancelled) return deliveries.shown();
    const what = cancelled ? 'it was cancelled' : `${failures} deliveries failed`;
    throw ApplicationFailure.create({
      type: 'NotDelivered',
      message: `${what}; \`reelkit webhooks show ${input.recordingId}\` names them, \`replay\` sends again`,
      nonRetryable: true,
    });
  });
}

/** What goes to one receiver, one after the other. */
class Lane {
  private readonly deliveries: Deliveries;
  private readonly index: number;
  private readonly recordingId: string;
  private isWoken = false;

  constructor(deliveries: Deliveries, index: number, recordingId: string) {
    this.deliveries = deliveries;
    this.index = index;
    this.recordingId = recordingId;
  }

  /** Waits no longer for the next try. */
  wake(): void {
    this.isWoken = true;
  }

  async run(isOver: () => boolean): Promise<void> {
    while (true) {
      await condition(() => this.deliveries.next(this.index) !== undefined || isOver());
      const next = this.deliveries.next(this.index);
      if (!next) return;
      const delayMs = await this.attempt(next);
      show(this.deliveries);
      if (delayMs !== undefined) await condition(() => this.isWoken || isOver(), delayMs);
    }
  }

  private async attempt({
    event,
    delivery,
  }: {
    event: KeptEvent;
    delivery: KeptDelivery;
  }): Promise<number | undefined> {
    this.isWoken = false;
    const receiver = this.deliveries.receivers[this.index];
    if (!receiver) return undefined;
    const outcome = await sending.sendEvent({ receiver, body: event.body }).catch(interrupted);
    const delayMs = this.deliveries.tried(delivery, outcome, Date.now(), Math.random());
    if (outcome.kind === 'failed' && delayMs === undefined)
      log.warn('a webhook was not delivered', {
        recordingId: this.recordingId,
        receiver: nameOfReceiver(receiver),
        event: event.id,
        code: outcome.code,
      });
    return delayMs;
  }
}

function interrupted(error: unknown): SendOutcome {
  return { kind: 'failed', code: 'interrupted', message: problemOf(error) };
}

async function untilRecordingEnds(deliveries: Deliveries, recordingId: string, isOver: () => boolean): Promise<void> {
  for (let waitMs = FIRST_LOOK_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_LOOK_MS)) {
    if (await condition(() => deliveries.isComplete || isOver(), waitMs)) return;
    const { isOpen, view } = await lookup.findRecording({ recordingId });
    if (isOpen || deliveries.isComplete) continue;
    deliveries.addTermination(Date.now(), view);
    return;
  }
}

/** For the Web UI. */
function show(deliveries: Deliveries): void {
  const all = deliveries.events.flatMap(({ deliveries: some }) => some);
  const count = (state: KeptDelivery['state']) => all.filter((one) => one.state === state).length;
  const waiting = all.filter(({ state, problem }) => state === 'pending' && problem);
  const problems = waiting.map(({ problem }) => `\n- ${problem?.code}`).slice(0, 10);
  setCurrentDetails(
    `${count('delivered')} delivered, ${count('pending')} to come, ${count('failed')} failed${problems.join('')}`,
  );
}
