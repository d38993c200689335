// LiveKit's UpdateLayout on its way to the room, overheard: what is kept, by whom, and what is left alone.
import { UpdateParticipantRequest } from '@livekit/protocol';
import { describe, expect, it } from 'vitest';
import { requestChannel } from '../../../src/bus/topics.ts';
import { encodeRequest } from '../../../src/bus/wire.ts';
import { hearLayouts, layoutOf } from '../../../src/livekit/layouts.ts';
import { createMemoryBroker } from '../../support/memory-bus.ts';
import { settle } from '../bus/bed.ts';
import { RECORDING } from './bed.ts';

function makeBed() {
  const broker = createMemoryBroker();
  const heard: string[] = [];
  const warnings: object[] = [];
  const log = { warn: (fields: object) => void warnings.push(fields) };
  return {
    broker,
    heard,
    warnings,
    listen: (note = async (id: string, layout: string) => void heard.push(`${id} ${layout}`)) =>
      hearLayouts({ bus: broker.connect(), note, log }),
    async tell(identity: string, metadata: string, requestId = 'REQ_1') {
      const request = new UpdateParticipantRequest({ room: 'a room', identity, metadata }).toBinary();
      const topic = `a room_${identity}`;
      const times = { sentAtMs: 1, expiryMs: 2, multi: false, metadata: {} };
      const message = encodeRequest({ requestId, clientId: 'CLI_1', ...times, request });
      await broker
        .connect()
        .publish(requestChannel({ service: 'Participant', method: 'UpdateParticipant', topic }), message);
      await settle();
    },
  };
}

describe('a change of layout', () => {
  it('is told to the recording once, however many processes hear it', async () => {
    const bed = makeBed();
    await Promise.all([bed.listen(), bed.listen()]);
    await bed.tell(RECORDING, '{"layout":"grid"}');
    await bed.tell(RECORDING, '{"layout":"grid"}', 'REQ_2');
    expect(bed.heard).toEqual([`${RECORDING} grid`, `${RECORDING} grid`]);
  });

  it.each([
    ['of somebody else', 'teacher_EG_', '{"layout":"grid"}'],
    ['that is none', RECORDING, '{"hand":"up"}'],
    ['that is no JSON', RECORDING, 'grid'],
  ])('%s is left alone', async (_, identity, metadata) => {
    const bed = makeBed();
    await bed.listen();
    await bed.tell(identity, metadata);
    expect(bed.heard).toEqual([]);
  });

  it('that cannot be kept is said, and the next one is heard', async () => {
    const bed = makeBed();
    let calls = 0;
    await bed.listen(async () => {
      calls += 1;
      throw new Error('Temporal is away');
    });
    await bed.tell(RECORDING, '{"layout":"grid"}');
    await bed.tell(RECORDING, '{"layout":"grid"}', 'REQ_2');
    expect(calls).toBe(2);
    expect(bed.warnings).toHaveLength(2);
  });

  it('is not heard after the end', async () => {
    const bed = makeBed();
    const forget = await bed.listen();
    await forget();
    await bed.tell(RECORDING, '{"layout":"grid"}');
    expect(bed.heard).toEqual([]);
  });
});

it('no layout is read from what LiveKit does not write', () => {
  expect(['', 'null', '[]', '{"layout":7}', `{"layout":"${'x'.repeat(257)}"}`].map(layoutOf)).toEqual(
    Array(5).fill(undefined),
  );
});
