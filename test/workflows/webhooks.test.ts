// Webhooks, from the stage of a recording to the receiver: each change told, in order, by a workflow of its own that nothing waits for.
import { WorkflowFailedError } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import type { PartView } from '../../src/recording/view.ts';
import type { Receiver } from '../../src/recording/webhooks/receivers.ts';
import { GIVE_UP_AFTER_MS, type SendOutcome } from '../../src/recording/webhooks/retry.ts';
import { deliveriesQuery, keptQuery, replayUpdate } from '../../src/workflows/messages.ts';
import { HOUR_MS, MINUTE_MS, once, type RecordingRun, ROOM_MISSING, type Script } from '../support/recording-env.ts';
import { useRecordings } from '../support/use-recordings.ts';

const recordings = useRecordings({ eachTest: true });

const REFUSES: SendOutcome = { kind: 'failed', code: 'rejected', status: 404, message: 'the receiver answered 404' };
const LMS: Receiver = { kind: 'configured', name: 'lms' };
const OWN: Receiver = { kind: 'request', url: 'https://example.com/hook?token=t' };
const endsByItself: Script = { inspectRoom: () => ({ room: 'gone' }) };
const DOWN: SendOutcome = { kind: 'failed', code: 'unreachable', message: 'example.com cannot be reached' };

async function recordsAndEnds(run: RecordingRun): Promise<void> {
  await run.becomesActive();
  await run.report(run.complete('Source closed'));
  await run.result();
}

describe('the webhooks of a recording', () => {
  it('tell each change of stage once, numbered, and are over when the recording is', async () => {
    const run = await recordings.start({ ...endsByItself, dispatch: once(() => ROOM_MISSING) }, { receivers: [LMS] });
    await run.until(({ stage }) => stage === 'waiting');
    await recordsAndEnds(run);
    await run.delivery.result();
    expect(run.sentTo('lms')).toEqual([
      '1 recording.starting',
      '2 recording.waiting',
      '3 recording.starting',
      '4 recording.started',
      '5 recording.part_ended',
      '6 recording.completed',
    ]);
  });

  it('tell of a part that was lost and of the next one', async () => {
    const script: Script = {
      stopPart: (_, { egressId }, it) => it.complete('StopEgress API', { egressId }),
      inspectPart: once(() => ({ room: 'alive', inRoom: true, onWorker: 'dead' })),
    };
    const run = await recordings.start(script, { receivers: [LMS] });
    await run.becomesActive();
    await run.look('its worker died');
    await run.becomesActive(1);
    await run.cancel();
    expect((await run.result()).stage).toBe('cancelled');
    await run.delivery.result();
    expect(run.sentTo('lms').map((sent) => sent.split('.')[1])).toEqual([
      'starting',
      'started',
      'part_ended',
      'starting',
      'resumed',
      'stopping',
      'part_ended',
      'cancelled',
    ]);
  });

  it('cost nothing when nobody wants to hear', async () => {
    const run = await recordings.start(endsByItself);
    await recordsAndEnds(run);
    expect(run.count('announce')).toBe(0);
    await expect(run.delivery.describe()).rejects.toThrow();
  });

  it('go to each receiver as it wants them, and cost nothing for what nobody wants', async () => {
    const receivers: Receiver[] = [
      { ...LMS, events: ['recording.completed', 'recording.failed'] },
      { ...OWN, events: ['recording.started', 'recording.completed'] },
    ];
    const run = await recordings.start(endsByItself, { receivers });
    await recordsAndEnds(run);
    await run.delivery.result();
    expect(run.sentTo('lms')).toEqual(['4 recording.completed']);
    expect(run.sentTo('(request)')).toEqual(['2 recording.started', '4 recording.completed']);
    expect(run.inputs('announce').flatMap(({ events }) => events)).toHaveLength(2);
  });

  it('are told while LiveKit cannot be', async () => {
    const run = await recordings.start(endsByItself, { receivers: [LMS] });
    await run.becomesActive();
    await run.untilCalled('publishRecord');
    run.hold('publishRecord');
    await run.report(run.complete('Source closed'));
    await run.until(({ stage }) => stage === 'completed');
    await run.untilCalled('sendEvent', 4);
    run.release('publishRecord');
    await run.result();
    expect(run.sentTo('lms').at(-1)).toBe('4 recording.completed');
  });
});

describe('a receiver that is down', () => {
  it('holds no recording open, is tried for a day with growing pauses, and then the delivery has failed', async () => {
    const run = await recordings.start(
      { ...endsByItself, sendEvent: () => DOWN },
      { receivers: [{ ...LMS, events: ['recording.completed'] }] },
    );
    await recordsAndEnds(run);
    expect((await run.view()).stage).toBe('completed');
    await expect(run.delivery.result()).rejects.toThrow(WorkflowFailedError);
    const times = run.calls.filter(({ name }) => name === 'sendEvent').map(({ atMs }) => atMs);
    const pauses = times.slice(1).map((atMs, index) => atMs - (times[index] ?? 0));
    expect(pauses[0]).toBeLessThan(2_000);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(11 * MINUTE_MS);
    expect(new Set(pauses.slice(-10)).size).toBeGreaterThan(5);
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeLessThanOrEqual(GIVE_UP_AFTER_MS);
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(23 * HOUR_MS);
    const [event] = await run.delivery.query(deliveriesQuery);
    expect(event?.deliveries).toMatchObject([
      { receiver: 'lms', state: 'failed', tries: times.length, problem: { code: 'unreachable' } },
    ]);
  });

  it('is told everything in order once it is back, each event with the same body at every try', async () => {
    let isDown = true;
    const run = await recordings.start(
      { ...endsByItself, sendEvent: () => (isDown ? DOWN : undefined) },
      { receivers: [LMS] },
    );
    await recordsAndEnds(run);
    await run.sleep(HOUR_MS);
    expect(new Set(run.sentTo('lms'))).toEqual(new Set(['1 recording.starting']));
    expect(new Set(run.inputs('sendEvent').map(({ body }) => body)).size).toBe(1);
    isDown = false;
    await run.delivery.result();
    expect([...new Set(run.sentTo('lms'))]).toEqual([
      '1 recording.starting',
      '2 recording.started',
      '3 recording.part_ended',
      '4 recording.completed',
    ]);
  });

  it('is in the way of no other', async () => {
    const run = await recordings.start(
      { ...endsByItself, sendEvent: (_, { receiver }) => (receiver.kind === 'request' ? DOWN : undefined) },
      { receivers: [OWN, LMS] },
    );
    await recordsAndEnds(run);
    await run.untilCalled('sendEvent', 5);
    await run.until(() => run.sentTo('lms').length === 4);
    expect(new Set(run.sentTo('(request)'))).toEqual(new Set(['1 recording.starting']));
  });

  it('that says when to come again is asked then', async () => {
    const busy: SendOutcome = {
      kind: 'failed',
      code: 'unavailable',
      status: 429,
      message: '429',
      retryAfterMs: HOUR_MS,
    };
    const run = await recordings.start(
      { ...endsByItself, sendEvent: once(() => busy) },
      { receivers: [{ ...LMS, events: ['recording.completed'] }] },
    );
    await recordsAndEnds(run);
    await run.delivery.result();
    const [first, second] = run.calls.filter(({ name }) => name === 'sendEvent');
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(HOUR_MS);
  });
});

describe('a receiver that refuses', () => {
  it('an event is not asked again about it, and gets the next one', async () => {
    const run = await recordings.start({ ...endsByItself, sendEvent: once(() => REFUSES) }, { receivers: [LMS] });
    await recordsAndEnds(run);
    await expect(run.delivery.result()).rejects.toThrow();
    expect(run.sentTo('lms')).toHaveLength(4);
  });

  it('all with 410 hears nothing more of this recording', async () => {
    const gone: SendOutcome = { kind: 'failed', code: 'gone', status: 410, message: 'the receiver answered 410' };
    const run = await recordings.start({ ...endsByItself, sendEvent: () => gone }, { receivers: [LMS] });
    await recordsAndEnds(run);
    await expect(run.delivery.result()).rejects.toThrow();
    expect(run.sentTo('lms')).toEqual(['1 recording.starting']);
    const events = await run.delivery.query(deliveriesQuery);
    expect(events.map(({ deliveries }) => deliveries[0]?.problem?.code)).toEqual(['gone', 'gone', 'gone', 'gone']);
  });
});

describe('a replay', () => {
  it('while the delivery waits for its next try sends at once', async () => {
    let isDown = true;
    const run = await recordings.start(
      { ...endsByItself, sendEvent: () => (isDown ? DOWN : undefined) },
      { receivers: [LMS] },
    );
    await run.becomesActive();
    await run.sleep(3 * HOUR_MS);
    isDown = false;
    const before = await run.now();
    const sent = await run.delivery.executeUpdate(replayUpdate, { args: [{}] });
    expect(sent.map(({ event, deliveries }) => [event, deliveries[0]?.state])).toEqual([
      ['recording.starting', 'delivered'],
      ['recording.started', 'delivered'],
    ]);
    expect((await run.now()) - before).toBeLessThan(15_000);
  });

  it('after the end sends the same body anew, and names what there is not', async () => {
    const run = await recordings.start({ ...endsByItself, sendEvent: once(() => REFUSES) }, { receivers: [LMS] });
    await recordsAndEnds(run);
    await expect(run.delivery.result()).rejects.toThrow();
    const known = await run.delivery.query(keptQuery);
    const again = await recordings.env.client.workflow.start('delivery', {
      workflowId: run.delivery.workflowId,
      taskQueue: 'recordings',
      args: [{ recordingId: run.id, ...known }],
    });
    await expect(again.executeUpdate(replayUpdate, { args: [{ sequence: 99 }] })).rejects.toThrow();
    const sent = await again.executeUpdate(replayUpdate, { args: [{ failed: true }] });
    expect(sent).toMatchObject([{ sequence: 1, deliveries: [{ state: 'delivered', status: 200 }] }]);
    await again.result();
    const bodies = run.inputs('sendEvent').map(({ body }) => body);
    expect(bodies.at(-1)).toBe(bodies[0]);
    expect(bodies).toHaveLength(5);
  });
});

it('a recording that was terminated is told with what is on file of it, where that is known', async () => {
  const files = [{ location: '/r/a.mp4', filename: 'a.mp4', storage: 'unknown', sizeBytes: 1, durationMs: 1 }];
  const run = await recordings.start(
    {
      findRecording: () => {
        const { parts, ...view } = known;
        const reason = { code: 'terminated' as const, message: 'by an operator' };
        return {
          isOpen: false,
          view: { ...view, stage: 'failed', reason, parts: [{ ...parts[0], files } as PartView] },
        };
      },
    },
    { receivers: [LMS] },
  );
  await run.becomesActive();
  const known = await run.view();
  await run.untilCalled('sendEvent', 2);
  await run.abandon();
  await run.delivery.result();
  expect(run.sentTo('lms').at(-1)).toBe('3 recording.failed');
  expect(JSON.parse(run.inputs('sendEvent').at(-1)?.body ?? '')).toMatchObject({
    recording: { reason: { message: 'by an operator' }, parts: [{ egressId: run.id, files }] },
  });
});

it('a recording that was terminated is told as failed, because somebody looks', async () => {
  const run = await recordings.start({}, { receivers: [LMS] });
  await run.becomesActive();
  await run.untilCalled('sendEvent', 2);
  // Terminates it, once nothing of it is under way: the server's clock would stand.
  await run.abandon();
  await run.delivery.result();
  expect(run.sentTo('lms').at(-1)).toBe('3 recording.failed');
  expect(JSON.parse(run.inputs('sendEvent').at(-1)?.body ?? '')).toMatchObject({
    recording: { stage: 'failed', reason: { code: 'terminated' } },
  });
});
