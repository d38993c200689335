import { describe, expect, it } from 'vitest';
import { patiently } from '../../../src/temporal/patiently.ts';

const grpc = (code: number) => Object.assign(new Error(`${code} of gRPC`), { code });

function asking(failures: readonly unknown[], stopping = new AbortController().signal) {
  const left = [...failures];
  const warnings: string[] = [];
  const log = { warn: (_: object, message: string) => void warnings.push(message) };
  const answer = patiently(
    async () => {
      const failure = left.shift();
      if (failure !== undefined) throw failure;
      return 'answer';
    },
    log as never,
    stopping,
  );
  return { answer, warnings };
}

describe('Temporal is asked again', () => {
  it('while it is slow, overloaded or away, however its client wraps that', async () => {
    const { answer, warnings } = asking([grpc(4), new Error('wrapped', { cause: grpc(14) })]);
    expect(await answer).toBe('answer');
    expect(warnings).toHaveLength(2);
  });

  it.each([grpc(7), new Error('a key is missing'), 'a text'])('and not for what will not pass: %s', async (failure) => {
    await expect(asking([failure]).answer).rejects.toBe(failure);
  });

  it('until the process is stopped', async () => {
    const stopping = new AbortController();
    const { answer } = asking(
      Array.from({ length: 50 }, () => grpc(14)),
      stopping.signal,
    );
    stopping.abort();
    await expect(answer).rejects.toThrow('14 of gRPC');
  });
});
