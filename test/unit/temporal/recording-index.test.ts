import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { isWanted, summaryOf } from '../../../src/api/recordings/summary.ts';
import { quoted } from '../../../src/recording/keywords.ts';
import { createPayloadCodec } from '../../../src/temporal/codec.ts';
import { listFilter, memoOf, stageOf, undecidedInRooms } from '../../../src/temporal/recording-index.ts';

const payload = (value: unknown) => defaultPayloadConverter.toPayload(value) ?? {};
const CLOSED = 2;
const TERMINATED = 5;

function row({
  stage = 'recording',
  status = 1,
  room = 'lesson',
}: {
  stage?: string;
  status?: number;
  room?: string;
} = {}) {
  const request = { source: { type: 'room', room }, priority: 3, tenant: 'school', labels: { course: '7' } };
  const plain = {
    execution: { workflowId: 'EG_23456789abcd' },
    status,
    memo: {
      fields: {
        request: payload(request),
        costCores: payload(4),
        requestedAtMs: payload(1_000),
        requestHash: payload('h'),
      },
    },
    searchAttributes: { indexedFields: { RecordingStage: payload(stage), RecordingFleet: payload('gpu') } },
    ...(status === 1 ? {} : { closeTime: { seconds: 5, nanos: 500_000_000 } }),
  };
  // protobuf would give the seconds as a Long.
  return plain as unknown as Parameters<typeof stageOf>[0];
}

describe('a visibility query', () => {
  it.each([
    ["o'brien", "'o''brien'"],
    ["' OR WorkflowId != '", "''' OR WorkflowId != '''"],
    ['back\\slash', "'back%5Cslash'"],
    ['double"quote', "'double%22quote'"],
    ["\\' OR 1=1", "'%5C'' OR 1=1'"],
  ])('quotes %s so that it stays one value', (value, expected) => {
    expect(quoted(value)).toBe(expected);
  });

  it('joins what was asked for, and looks at open workflows only for open stages', () => {
    expect(listFilter(['default'], { stage: 'waiting', room: 'a', label: ['k=v'] })).toBe(
      "WorkflowType = 'recording' AND RecordingFleet = 'default' AND ExecutionStatus != 'ContinuedAsNew' AND RecordingStage = 'waiting' AND ExecutionStatus = 'Running' AND RecordingRoom = 'a' AND RecordingLabels = 'k=v'",
    );
    expect(listFilter(['default'], { stage: 'completed' })).toContain(
      "(RecordingStage = 'completed' OR (ExecutionStatus = 'Completed' AND RecordingStage NOT IN ('failed', 'cancelled', 'expired')))",
    );
  });

  it('looks at all fleets of the configuration, or at the one that was asked for', () => {
    expect(listFilter(['default', 'gpu'], {})).toContain("RecordingFleet IN ('default', 'gpu')");
    expect(listFilter(['default', 'gpu'], { fleet: 'gpu' })).toContain("RecordingFleet = 'gpu'");
  });

  it('finds a tenant among the labels, where no label can stand', async () => {
    expect(listFilter(['default'], { tenant: 'school' })).toContain("RecordingLabels = '@tenant=school'");
    const summary = await read(row());
    expect(summary && isWanted(summary, { tenant: 'school' })).toBe(true);
    expect(summary && isWanted(summary, { tenant: 'schoo' })).toBe(false);
  });

  it('finds as failed what an operator terminated, whatever its stage was', () => {
    expect(listFilter(['default'], { stage: 'failed' })).toContain("OR ExecutionStatus IN ('Failed', 'Terminated'");
  });

  it('finds the recordings of a room that have no egress now', () => {
    expect(undecidedInRooms(['default'], ['a', 'b'])).toContain("RecordingStage IN ('waiting', 'starting', 'paused')");
  });
});

async function read(one: Parameters<typeof stageOf>[0]) {
  const memo = await memoOf(one, []);
  return memo && summaryOf(one, memo);
}

describe('a row of visibility', () => {
  it('becomes a summary from memo and search attributes', async () => {
    expect(await read(row())).toEqual({
      id: 'EG_23456789abcd',
      stage: 'recording',
      fleet: 'gpu',
      source: 'room',
      room: 'lesson',
      priority: 3,
      tenant: 'school',
      labels: { course: '7' },
      costCores: 4,
      requestedAtMs: 1_000,
    });
  });

  it('tells when an ended one ended', async () => {
    expect((await read(row({ stage: 'completed', status: CLOSED })))?.endedAtMs).toBe(5_500);
  });

  it('is completed when its workflow completed without another end, and failed when it was ended from outside', () => {
    expect(stageOf(row({ status: CLOSED }))).toBe('completed');
    expect(stageOf(row({ stage: 'cancelled', status: CLOSED }))).toBe('cancelled');
    expect(stageOf(row({ status: TERMINATED }))).toBe('failed');
  });

  it('is none of ours without a memo', async () => {
    expect(await memoOf({}, [])).toBeUndefined();
    expect(await read({ execution: { workflowId: 'x' } })).toBeUndefined();
  });

  it('has its memo read through the codecs of the client', async () => {
    const key = { id: 'k1', key: new Uint8Array(32) };
    const codec = createPayloadCodec([key]);
    const plain = row().memo?.fields ?? {};
    const sealed = await codec.encode(Object.values(plain) as Payload[]);
    const encrypted = {
      memo: { fields: Object.fromEntries(Object.keys(plain).map((name, index) => [name, sealed[index] ?? {}])) },
    };
    expect(await memoOf(encrypted, [codec])).toMatchObject({ costCores: 4, requestHash: 'h' });
    const other = createPayloadCodec([{ ...key, id: 'k2' }]);
    await expect(memoOf(encrypted, [other])).rejects.toThrow('"k1"');
  });

  it('is compared with what was asked for, because search attributes are shortened and rewritten', async () => {
    const summary = await read(row({ room: 'a"b' }));
    if (!summary) throw new Error('no summary');
    expect(isWanted(summary, { room: 'a"b' })).toBe(true);
    expect(isWanted(summary, { room: 'a%22b' })).toBe(false);
    expect(isWanted(summary, { label: ['course=7'] })).toBe(true);
    expect(isWanted(summary, { label: ['course=7', 'course=8'] })).toBe(false);
  });
});
