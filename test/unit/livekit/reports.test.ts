// What Reelkit answers workers that create and update their records, and when it says nothing.
import { EgressInfo, EgressStatus } from '@livekit/protocol';
import { describe, expect, it, vi } from 'vitest';
import { createEndings } from '../../../src/livekit/endings.ts';
import { createGrants } from '../../../src/livekit/grants.ts';
import { type ReportsParts, serveReports } from '../../../src/livekit/reports.ts';
import type { EgressReport } from '../../../src/recording/egress.ts';
import { makeBed, RECORDING } from './bed.ts';

const EMPTY = new Uint8Array();

async function reelkit(change: Partial<ReportsParts> = {}) {
  const bed = makeBed();
  const grants = createGrants();
  const kept: [string, EgressReport][] = [];
  const ghosts: string[] = [];
  const ended: string[] = [];
  const served = await serveReports(bed.server(), {
    grants,
    report: async (recordingId, report) => {
      kept.push([recordingId, report]);
      return true;
    },
    endings: createEndings(bed.broker.connect()),
    roomSid: async () => 'RM_1',
    ended: ({ egressId }) => void ended.push(egressId),
    endGhost: async (recordingId) => void ghosts.push(recordingId),
    log: bed.log,
    ...change,
  });
  const tell = (
    method: 'CreateEgress' | 'UpdateEgress',
    egressId: string,
    status = EgressStatus.EGRESS_ACTIVE,
    more: { updatedAt?: bigint } = {},
  ) => bed.ask({ service: 'IOInfo', method, request: new EgressInfo({ egressId, status, ...more }) });
  return { ...bed, grants, kept, ghosts, ended, served, tell };
}

describe('CreateEgress of a worker', () => {
  it('is allowed while this process has granted its start', async () => {
    const { grants, tell } = await reelkit();
    const reply = await grants.during(RECORDING, () => tell('CreateEgress', RECORDING));
    expect(reply).toMatchObject({ ok: true, response: EMPTY });
  });

  it('is refused once the start was given up, so that the worker ends it', async () => {
    const { grants, tell } = await reelkit();
    grants.giveUp(RECORDING);
    expect(await tell('CreateEgress', RECORDING)).toMatchObject({
      ok: false,
      granted: true,
      code: 'permission_denied',
      message: 'this start was given up',
    });
  });

  it.each([RECORDING, 'EG_another', ''])('of a start that another process granted is left to it: %s', async (id) => {
    const { tell, broker } = await reelkit();
    expect(await tell('CreateEgress', id)).toMatchObject({ ok: false, granted: false, code: 'no_claim' });
    expect(broker.published.map(({ channel }) => channel).filter((channel) => /CLAIM/.test(channel))).toEqual([]);
  });

  it('finds the process that granted it, whichever others serve', async () => {
    const bed = makeBed();
    const [mine, other] = [createGrants(), createGrants()];
    for (const grants of [other, mine])
      await serveReports(bed.server(), {
        grants,
        report: async () => true,
        endings: createEndings(bed.broker.connect()),
        roomSid: async () => 'RM_1',
        ended: () => {},
        endGhost: async () => {},
        log: bed.log,
      });
    const request = new EgressInfo({ egressId: RECORDING });
    const reply = await mine.during(RECORDING, () => bed.ask({ service: 'IOInfo', method: 'CreateEgress', request }));
    expect(reply.ok).toBe(true);
  });
});

describe('UpdateEgress of a worker', () => {
  it('tells whoever stopped it of its end, and only once the recording has it', async () => {
    let keep = (_: boolean) => {};
    const { ended, tell } = await reelkit({ report: () => new Promise((resolve) => (keep = resolve)) });
    const active = tell('UpdateEgress', RECORDING);
    await vi.waitFor(() => expect(active).toBeDefined());
    keep(true);
    await active;
    expect(ended).toEqual([]);
    const last = tell('UpdateEgress', RECORDING, EgressStatus.EGRESS_COMPLETE);
    expect(ended).toEqual([]);
    await vi.waitFor(() => {
      keep(true);
      expect(ended).toEqual([RECORDING]);
    });
    await last;
  });

  it('that says that it finishes its file costs the recording nothing, and its time comes with the last one, whoever hears it', async () => {
    const { tell, kept, broker } = await reelkit();
    const updatedAt = 1_750_000_000_000_000_000n;
    await tell('UpdateEgress', RECORDING, EgressStatus.EGRESS_ENDING, { updatedAt });
    expect(kept).toEqual([]);
    expect(await createEndings(broker.connect()).of(RECORDING)).toBe(1_750_000_000_000);
    await tell('UpdateEgress', RECORDING, EgressStatus.EGRESS_COMPLETE);
    expect(kept).toEqual([[RECORDING, expect.objectContaining({ status: 'COMPLETE', endingAtMs: 1_750_000_000_000 })]]);
  });

  it('is answered once the recording of the attempt has it', async () => {
    let keep = (_: boolean) => {};
    const { tell } = await reelkit({ report: () => new Promise((resolve) => (keep = resolve)) });
    let answered = false;
    const reply = tell('UpdateEgress', `${RECORDING}_2`).finally(() => {
      answered = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(answered).toBe(false);
    keep(true);
    expect(await reply).toMatchObject({ ok: true, response: EMPTY });
  });

  it('reaches the recording as a report of its attempt', async () => {
    const { tell, kept, ghosts } = await reelkit();
    await tell('UpdateEgress', `${RECORDING}_2`);
    expect(kept).toEqual([[RECORDING, expect.objectContaining({ egressId: `${RECORDING}_2`, status: 'ACTIVE' })]]);
    expect(ghosts).toEqual([]);
  });

  it('says of an end that LiveKit has the room no more, when LiveKit can be asked', async () => {
    const ended = async (roomSid: ReportsParts['roomSid'], status = EgressStatus.EGRESS_COMPLETE, roomId = 'RM_1') => {
      const { ask, kept } = await reelkit({ roomSid });
      const request = new EgressInfo({ egressId: RECORDING, roomName: 'lesson', roomId, status });
      expect((await ask({ service: 'IOInfo', method: 'UpdateEgress', request })).ok).toBe(true);
      return kept[0]?.[1].roomGone;
    };
    const open = async (room: string) => (room === 'lesson' ? 'RM_1' : undefined);
    expect(await ended(async () => undefined)).toBe(true);
    expect(await ended(open)).toBeUndefined();
    // Opened again under its name, for others.
    expect(await ended(open, EgressStatus.EGRESS_COMPLETE, 'RM_0')).toBe(true);
    expect(await ended(open, EgressStatus.EGRESS_COMPLETE, '')).toBeUndefined();
    expect(await ended(() => Promise.reject(new Error('LiveKit is away')))).toBeUndefined();
    expect(await ended(async () => undefined, EgressStatus.EGRESS_ACTIVE)).toBeUndefined();
  });

  it('is not answered while Temporal is away: the worker repeats what was not answered, and nothing that failed', async () => {
    const { tell, logged } = await reelkit({ report: () => Promise.reject(new Error('Temporal is away')) });
    expect(await tell('UpdateEgress', RECORDING)).toMatchObject({ ok: false, code: 'deadline_exceeded' });
    expect(logged).toMatchObject([{ level: 'warn', fields: { egress: RECORDING } }]);
  });

  it("ends LiveKit's record of a recording that is open no more, and is not answered until LiveKit knows", async () => {
    const { tell, ghosts } = await reelkit({ report: async () => false });
    expect((await tell('UpdateEgress', `${RECORDING}_1`)).ok).toBe(true);
    expect(ghosts).toEqual([RECORDING]);
    const away = await reelkit({
      report: async () => false,
      endGhost: () => Promise.reject(new Error('LiveKit is away')),
    });
    expect(await away.tell('UpdateEgress', RECORDING)).toMatchObject({ ok: false, code: 'deadline_exceeded' });
  });

  it('of an egress that is no attempt of ours is answered and dropped', async () => {
    const { tell, kept } = await reelkit();
    expect((await tell('UpdateEgress', 'EG_x')).ok).toBe(true);
    expect((await tell('UpdateEgress', `${RECORDING}_0`)).ok).toBe(true);
    expect(kept).toEqual([]);
  });

  it('that cannot be read is left alone', async () => {
    const { ask, kept } = await reelkit();
    const request = new Uint8Array([255, 255, 255]);
    expect(await ask({ service: 'IOInfo', method: 'UpdateEgress', request })).toMatchObject({ code: 'no_claim' });
    expect(kept).toEqual([]);
  });

  it('is heard until the serving is stopped, which waits for what it took', async () => {
    const { tell, served, kept } = await reelkit();
    await served.stop();
    expect(await tell('UpdateEgress', RECORDING)).toMatchObject({ code: 'no_claim' });
    expect(kept).toEqual([]);
  });
});
