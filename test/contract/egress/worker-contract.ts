// What a livekit/egress worker does as seen from outside: through LiveKit, its ports and its signals. The figures and words are
// those of livekit/egress 1.14. One suite, run against the stand-in always and against the real worker where there is one.
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  EgressStatus,
  ParticipantEgressRequest,
  ParticipantInfo_Kind,
  StreamInfo_Status,
  TrackCompositeEgressRequest,
} from '@livekit/protocol';
import {
  EncodedFileOutput,
  EncodedFileType,
  EncodingOptions,
  EncodingOptionsPreset,
  ImageOutput,
  SegmentedFileOutput,
  StreamOutput,
  StreamProtocol,
} from 'livekit-server-sdk';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { probeMedia } from '../../../src/dev/media.ts';
import type { Speaker } from '../../../src/dev/speakers.ts';
import { waitFor } from '../../support/stack-wait.ts';
import { type Bed, CORES, type EgressWorker, makeBed } from './bed.ts';

const { EGRESS_STARTING, EGRESS_ACTIVE, EGRESS_ENDING, EGRESS_COMPLETE, EGRESS_FAILED, EGRESS_ABORTED } = EgressStatus;
const { EGRESS_LIMIT_REACHED } = EgressStatus;

export function describeWorker(name: string, findCommand: () => Promise<string>): void {
  describe(`the egress worker ${name}`, () => {
    let bed: Bed;
    let ada: Speaker;
    let worker: EgressWorker;
    const ROOM = 'contract';

    beforeAll(async () => {
      bed = await makeBed(await findCommand());
      ada = await bed.speak(ROOM);
    });
    afterEach(() => worker.kill());
    afterAll(() => bed?.end());

    const output = (filepath = bed.fileFor()) => new EncodedFileOutput({ fileType: EncodedFileType.MP4, filepath });
    const options = () => ({ encodingOptions: EncodingOptionsPreset.H264_720P_30 });
    const recordAda = (room = ROOM) => bed.egresses.startParticipantEgress(room, 'ada', { file: output() }, options());
    const recording = async (room = ROOM) => {
      const { egressId } = await recordAda(room);
      await bed.until(egressId, EGRESS_ACTIVE);
      return egressId;
    };
    /** One more than the worker takes: LiveKit gives up after 2 s. */
    const oneMore = () => {
      const message = new ParticipantEgressRequest({ roomName: ROOM, identity: 'ada', fileOutputs: [output()] });
      return bed.start({ method: 'StartParticipantEgress', message }, 2_000);
    };
    const gauges = async () => ({
      idle: await worker.metric('livekit_egress_available'),
      accepts: await worker.metric('livekit_egress_can_accept_request'),
      disabled: await worker.metric('livekit_egress_is_disabled'),
      terminating: await worker.metric('livekit_egress_is_terminating'),
    });
    const refusal = (call: Promise<unknown>) =>
      call.then(
        () => 'accepted',
        ({ status, code, message }) => ({ status, code, message }),
      );
    const fileOf = async (egressId: string) => {
      const [file] = (await bed.infoOf(egressId)).fileResults;
      if (!file) throw new Error(`${egressId} has no file`);
      const { streams, durationSeconds } = await probeMedia(bed.ffprobe, file.filename);
      return { file, durationSeconds, codecs: streams.map(({ codec }) => codec).sort() };
    };

    it('shows its cores on the health port, whatever the path, and that it is free in its metrics', async () => {
      worker = await bed.startWorker();
      expect(await worker.health()).toEqual({ CpuLoad: CORES });
      expect(await worker.health('/any/path')).toEqual({ CpuLoad: CORES });
      // Its health port answers a moment before it takes requests.
      await waitFor('it to take requests', gauges, ({ accepts }) => accepts === 1);
      expect(await gauges()).toEqual({ idle: 1, accepts: 1, disabled: 0, terminating: 0 });
    });

    it('records a participant, and tells every step on each of its sides', async () => {
      worker = await bed.startWorker();
      const filepath = bed.fileFor();
      const request = new ParticipantEgressRequest({
        roomName: ROOM,
        identity: 'ada',
        fileOutputs: [output(filepath)],
        options: { case: 'preset', value: EncodingOptionsPreset.H264_720P_30 },
        webhooks: [{ url: bed.hookUrl('recording=r1&part=1'), signingKey: bed.livekit.apiKey }],
      });
      const reply = await bed.start({ method: 'StartParticipantEgress', message: request }, 5_000);
      if (reply.kind !== 'accepted') throw new Error(`not accepted: ${JSON.stringify(reply)}`);
      const { egressId } = reply;
      const active = await bed.until(egressId, EGRESS_ACTIVE);
      expect(active.fileResults[0]?.startedAt).toBeGreaterThan(active.startedAt);
      expect(active).toMatchObject({ roomName: ROOM, errorCode: 0, request: { case: 'participant' } });
      expect((active.request.value as ParticipantEgressRequest).toJson()).toEqual(request.toJson());

      expect(Object.keys(await worker.health()).sort()).toEqual(['CpuLoad', egressId]);
      expect((await worker.health())[egressId]).toMatchObject({
        Participant: { room_name: ROOM, identity: 'ada', file_outputs: [{ filepath }] },
      });
      expect(await gauges()).toMatchObject({ idle: 0, accepts: 0, disabled: 0 });
      expect(await worker.metric('livekit_egress_requests{type="participant"}')).toBe(1);
      const inRoom = await bed.rooms.listParticipants(ROOM);
      expect(inRoom.find(({ identity }) => identity === egressId)?.kind).toBe(ParticipantInfo_Kind.EGRESS);

      await sleep(3_000);
      expect((await bed.egresses.stopEgress(egressId)).status).toBe(EGRESS_ENDING);
      const ended = await bed.until(egressId, EGRESS_COMPLETE);
      expect(ended).toMatchObject({ details: 'End reason: StopEgress API', error: '', errorCode: 0 });
      const { file, durationSeconds, codecs } = await fileOf(egressId);
      expect(file.filename).toBe(filepath.replace('{room_name}', ROOM));
      expect(Number(file.size)).toBe((await stat(file.filename)).size);
      expect(codecs).toEqual(['aac', 'h264']);
      expect(durationSeconds).toBeGreaterThan(2);
      expect(Math.abs(Number(file.duration) / 1e9 - durationSeconds)).toBeLessThan(1);
      expect(await worker.health()).toEqual({ CpuLoad: expect.any(Number) });

      const told = await waitFor(
        'its last webhook',
        async () => bed.hooks.of(egressId).filter(({ url }) => url.endsWith('?recording=r1&part=1')),
        (hooks) => hooks.some(({ event }) => event === 'egress_ended'),
      );
      const steps = told.map(({ event, info }) => `${event} ${EgressStatus[info.status]}`);
      expect(steps.filter((step, index) => step !== steps[index - 1])).toEqual([
        'egress_started EGRESS_STARTING',
        'egress_updated EGRESS_ACTIVE',
        'egress_updated EGRESS_ENDING',
        'egress_ended EGRESS_COMPLETE',
      ]);
    });

    it('records two tracks, and one as it is', async () => {
      worker = await bed.startWorker();
      const both = await bed.egresses.startTrackCompositeEgress(ROOM, output(), {
        audioTrackId: ada.audioTrackId,
        videoTrackId: ada.videoTrackId,
        ...options(),
      });
      const one = await bed.egresses.startTrackEgress(
        ROOM,
        { filepath: bed.fileFor('ogg') } as never,
        ada.audioTrackId,
      );
      await Promise.all([bed.until(both.egressId, EGRESS_ACTIVE), bed.until(one.egressId, EGRESS_ACTIVE)]);
      expect(await worker.metric('livekit_egress_requests{type="track_composite"}')).toBe(1);
      expect(await worker.metric('livekit_egress_requests{type="track"}')).toBe(1);
      await sleep(2_000);
      for (const { egressId } of [both, one]) await bed.egresses.stopEgress(egressId);
      for (const { egressId } of [both, one]) await bed.until(egressId, EGRESS_COMPLETE);
      expect((await fileOf(both.egressId)).codecs).toEqual(['aac', 'h264']);
      expect((await fileOf(one.egressId)).codecs).toEqual(['opus']);
    });

    it('writes segments and images while it records, beside a file, and ends the playlist', async () => {
      worker = await bed.startWorker();
      const filepath = bed.fileFor();
      const folder = join(dirname(filepath), 'pieces');
      const { egressId } = await bed.egresses.startParticipantEgress(
        ROOM,
        'ada',
        {
          file: output(filepath),
          segments: new SegmentedFileOutput({
            filenamePrefix: join(folder, 'seg'),
            playlistName: join(folder, 'list'),
            livePlaylistName: join(folder, 'live'),
            segmentDuration: 2,
          }),
          images: new ImageOutput({ filenamePrefix: join(folder, 'image'), captureInterval: 2 }),
        },
        { encodingOptions: new EncodingOptions({ width: 640, height: 360, framerate: 15, videoBitrate: 500 }) },
      );
      const playlist = () => readFile(join(folder, 'list.m3u8'), 'utf8').catch(() => '');
      const running = await waitFor('a second segment', playlist, (text) => text.includes('seg_00001.ts'), 30_000);
      expect(running).not.toContain('#EXT-X-ENDLIST');
      await bed.egresses.stopEgress(egressId);
      const ended = await bed.until(egressId, EGRESS_COMPLETE);
      expect(await playlist()).toMatch(/#EXT-X-ENDLIST\n$/);
      const [segments] = ended.segmentResults;
      expect(segments).toMatchObject({
        playlistName: join(folder, 'list.m3u8'),
        livePlaylistName: join(folder, 'live.m3u8'),
        playlistLocation: join(folder, 'list.m3u8'),
      });
      expect(Number(segments?.segmentCount)).toBeGreaterThanOrEqual(2);
      const codecsOf = async (name: string) =>
        (await probeMedia(bed.ffprobe, join(folder, name))).streams.map(({ codec }) => codec).sort();
      expect(await codecsOf('seg_00001.ts')).toEqual(['aac', 'h264']);
      expect(await codecsOf('image_00000.jpeg')).toEqual(['mjpeg']);
      expect(Number(ended.imageResults[0]?.imageCount)).toBeGreaterThanOrEqual(1);
      const { codecs } = await fileOf(egressId);
      expect(codecs).toEqual(['aac', 'h264']);
      expect(ended.manifestLocation).toMatch(`${egressId}.json`);
    });

    it('fails with its last output when that is a stream nobody takes', async () => {
      worker = await bed.startWorker();
      const urls = ['rtmp://127.0.0.1:1/app/key'];
      const { egressId, streamResults } = await bed.egresses.startParticipantEgress(
        ROOM,
        'ada',
        { stream: new StreamOutput({ protocol: StreamProtocol.RTMP, urls }) },
        options(),
      );
      expect(streamResults).toMatchObject([
        { url: 'rtmp://127.0.0.1:1/app/{k...y}', status: StreamInfo_Status.ACTIVE },
      ]);
      const ended = await bed.until(egressId, EGRESS_FAILED);
      expect(ended).toMatchObject({ errorCode: 503, streamResults: [{ status: StreamInfo_Status.FAILED }] });
      expect(ended.error).not.toContain('app/key');
    });

    it('goes on recording without a stream nobody takes, and refuses changes by their field', async () => {
      worker = await bed.startWorker();
      const { egressId } = await bed.egresses.startParticipantEgress(
        ROOM,
        'ada',
        { file: output(), stream: new StreamOutput({ protocol: StreamProtocol.RTMP, urls: [] }) },
        options(),
      );
      await bed.until(egressId, EGRESS_ACTIVE);
      const bad = bed.egresses.updateStream(egressId, ['rtmp://127.0.0.1/app', 'http://127.0.0.1/a/b']);
      expect(await refusal(bad)).toMatchObject({
        status: 400,
        code: 'invalid_argument',
        message: expect.stringMatching(
          /invalid url rtmp:\/\/127.0.0.1\/app: rtmp urls must be of format .*\ninvalid url http:\/\/127.0.0.1\/a\/b: invalid scheme$/,
        ),
      });
      const unknown = bed.egresses.updateStream(egressId, [], ['rtmp://127.0.0.1/app/none']);
      expect(await refusal(unknown)).toMatchObject({ status: 404, code: 'not_found' });
      await bed.egresses.updateStream(egressId, ['rtmp://127.0.0.1:1/app/key']);
      const after = await waitFor(
        'the stream to fail',
        () => bed.infoOf(egressId),
        ({ streamResults }) => streamResults.some(({ status }) => status === StreamInfo_Status.FAILED),
      );
      expect(after.status).toBe(EGRESS_ACTIVE);
      await bed.egresses.stopEgress(egressId);
      await bed.until(egressId, EGRESS_COMPLETE);
      expect((await fileOf(egressId)).codecs).toEqual(['aac', 'h264']);
    });

    it('has no streams to change when it records a file only', async () => {
      worker = await bed.startWorker();
      const egressId = await recording();
      expect(await refusal(bed.egresses.updateStream(egressId, ['rtmp://127.0.0.1/app/key']))).toMatchObject({
        status: 400,
        code: 'invalid_argument',
        message: expect.stringMatching(/UpdateStream called on non-streaming egress$/),
      });
    });

    it('records a room, with a picture of all that is in it', async () => {
      worker = await bed.startWorker();
      const { egressId } = await bed.egresses.startRoomCompositeEgress(ROOM, { file: output() }, options());
      await bed.until(egressId, EGRESS_ACTIVE);
      expect(await worker.metric('livekit_egress_requests{type="room_composite"}')).toBe(1);
      expect(Object.keys((await worker.health())[egressId] as object)).toEqual(['RoomComposite']);
      await sleep(3_000);
      await bed.egresses.stopEgress(egressId);
      await bed.until(egressId, EGRESS_COMPLETE);
      const { codecs, durationSeconds } = await fileOf(egressId);
      expect(codecs).toEqual(['aac', 'h264']);
      expect(durationSeconds).toBeGreaterThan(2);
    });

    it('takes what fits beside what it has, and is silent about the rest', async () => {
      worker = await bed.startWorker();
      const [first, second] = [await recordAda(), await recordAda()];
      expect(new Set([first.egressId, second.egressId]).size).toBe(2);
      const third = await oneMore();
      expect(third).toMatchObject({
        kind: 'error',
        httpStatus: 408,
        twirpCode: 'canceled',
        message: expect.stringMatching(/request canceled$/),
      });
      await bed.until(first.egressId, EGRESS_ACTIVE);
      expect(Object.keys(await worker.health()).filter((key) => key.startsWith('EG_'))).toHaveLength(2);
    });

    it.each([
      ['no output', () => new TrackCompositeEgressRequest({ roomName: ROOM, audioTrackId: 'TR_x' }), 'output'],
      [
        'no tracks',
        () => new TrackCompositeEgressRequest({ roomName: ROOM, fileOutputs: [output()] }),
        'audio_track_id or video_track_id',
      ],
    ])('refuses a request with %s by the name of the field, and keeps nothing of it', async (_, message, field) => {
      worker = await bed.startWorker();
      const before = (await bed.egresses.listEgress()).length;
      const reply = await bed.start({ method: 'StartTrackCompositeEgress', message: message() }, 5_000);
      expect(reply).toEqual({
        kind: 'error',
        httpStatus: 400,
        twirpCode: 'invalid_argument',
        message: expect.stringMatching(`request has missing or invalid field: ${field}$`),
      });
      expect(await bed.egresses.listEgress()).toHaveLength(before);
      expect(await worker.health()).toEqual({ CpuLoad: expect.any(Number) });
    });

    it('waits 30 s for a participant that is not there, deaf to a stop, and fails', async () => {
      worker = await bed.startWorker();
      const { egressId, status } = await bed.egresses.startParticipantEgress(
        ROOM,
        'nobody',
        { file: output() },
        options(),
      );
      expect(status).toBe(EGRESS_STARTING);
      expect(await refusal(bed.egresses.stopEgress(egressId))).toEqual({
        status: 408,
        code: 'deadline_exceeded',
        message: expect.stringMatching(/request timed out$/),
      });
      expect(await bed.infoOf(egressId)).toMatchObject({ status: EGRESS_STARTING });
      expect(await bed.until(egressId, EGRESS_FAILED)).toMatchObject({
        details: 'End reason: Failure',
        error: 'participant nobody not found',
        errorCode: 404,
      });
      expect(await gauges()).toEqual({ idle: 1, accepts: 1, disabled: 0, terminating: 0 });
    });

    it('is stopped without a file before media flows', async () => {
      worker = await bed.startWorker();
      const { egressId } = await recordAda();
      // The answer races with the end of the process that gives it.
      const answer = await bed.egresses.stopEgress(egressId).then(
        ({ status }) => EgressStatus[status],
        ({ code, message }) => `${code}: ${message}`,
      );
      expect(['EGRESS_ABORTED', 'failed_precondition: egress with status EGRESS_ABORTED cannot be stopped']).toContain(
        answer,
      );
      await bed.until(egressId, EGRESS_ABORTED);
      expect(await bed.infoOf(egressId)).toMatchObject({
        status: EGRESS_ABORTED,
        details: 'End reason: StopEgress API',
        error: 'Stop called before pipeline could start',
        errorCode: 412,
      });
    });

    it('ends with its room, and keeps the file', async () => {
      worker = await bed.startWorker();
      await bed.speak('closing');
      const egressId = await recording('closing');
      await sleep(2_000);
      await bed.rooms.deleteRoom('closing');
      const ended = await bed.until(egressId, EGRESS_COMPLETE);
      expect(ended).toMatchObject({ details: 'End reason: Source closed', errorCode: 0 });
      expect((await fileOf(egressId)).durationSeconds).toBeGreaterThan(1);
      expect(await refusal(bed.egresses.stopEgress(egressId))).toMatchObject({
        status: 412,
        code: 'failed_precondition',
      });
    });

    it('ends at the session limit of its configuration', async () => {
      worker = await bed.startWorker({ session_limits: { file_output_max_duration: '3s' } });
      const egressId = await recording();
      expect(await bed.until(egressId, EGRESS_LIMIT_REACHED)).toMatchObject({
        details: 'End reason: Session limit reached',
        error: 'Session limit reached',
        errorCode: 413,
      });
      expect((await fileOf(egressId)).durationSeconds).toBeGreaterThan(1);
    });

    it('ends at once on SIGTERM when it is idle', async () => {
      worker = await bed.startWorker();
      worker.signal('SIGTERM');
      expect(await worker.ended).toBe('exit status 0');
    });

    it('takes nothing new after SIGTERM, finishes what it has, and ends', async () => {
      worker = await bed.startWorker();
      const egressId = await recording();
      worker.signal('SIGTERM');
      await waitFor('the worker to say so', gauges, ({ terminating }) => terminating === 1);
      expect(await gauges()).toEqual({ idle: 0, accepts: 0, disabled: 1, terminating: 1 });
      const refused = await oneMore();
      expect(refused).toMatchObject({ kind: 'error', httpStatus: 408, twirpCode: 'canceled' });
      expect(await bed.infoOf(egressId)).toMatchObject({ status: EGRESS_ACTIVE });
      await bed.egresses.stopEgress(egressId);
      expect(await worker.ended).toBe('exit status 0');
      expect(await bed.until(egressId, EGRESS_COMPLETE)).toMatchObject({ details: 'End reason: StopEgress API' });
      expect((await fileOf(egressId)).codecs).toEqual(['aac', 'h264']);
    });

    it('fails what it records on SIGINT, and keeps the file', async () => {
      worker = await bed.startWorker();
      const egressId = await recording();
      await sleep(2_000);
      worker.signal('SIGINT');
      expect(await worker.ended).toBe('exit status 0');
      expect(await bed.until(egressId, EGRESS_FAILED)).toMatchObject({
        details: 'End reason: Process killed',
        error: 'server is shutting down',
        errorCode: 403,
      });
      expect((await fileOf(egressId)).codecs).toEqual(['aac', 'h264']);
    });

    it('leaves a record that says it is active when it is killed, and nobody answers for it', async () => {
      worker = await bed.startWorker();
      const egressId = await recording();
      await worker.kill();
      expect(await refusal(bed.egresses.stopEgress(egressId))).toEqual({
        status: 408,
        code: 'deadline_exceeded',
        message: expect.stringMatching(/request timed out$/),
      });
      expect(await bed.infoOf(egressId)).toMatchObject({ status: EGRESS_ACTIVE, error: '' });
    });
  });
}
