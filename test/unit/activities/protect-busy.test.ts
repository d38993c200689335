// The quick way to protect a worker that has just become busy.
import { describe, expect, it, vi } from 'vitest';
import { createProtectBusy } from '../../../src/activities/protect-busy.ts';
import type { ObservedWorker } from '../../../src/fleet/observation.ts';
import { egress, worker } from '../../support/fleet.ts';

function bed(looks: ObservedWorker[][]) {
  const asked: [string, boolean][] = [];
  const problems: string[] = [];
  const observe = vi.fn(async () => (looks.length > 1 ? looks.shift() : looks[0]) ?? []);
  const protect = async (id: string, busy: boolean) => void asked.push([id, busy]);
  return {
    asked,
    problems,
    observe,
    protectBusy: createProtectBusy({ protect }, observe, (text) => problems.push(text)),
  };
}

describe('a start that was accepted', () => {
  it('has its worker protected, with one look for all of a burst', async () => {
    const { asked, observe, protectBusy } = bed([
      [worker('w1', { egresses: [egress('EG_1'), egress('EG_2')] }), worker('w2', { egresses: [egress('EG_9')] })],
    ]);
    protectBusy('EG_1');
    protectBusy('EG_2');
    await vi.waitFor(() => expect(asked).toEqual([['w1', true]]), 10_000);
    expect(observe).toHaveBeenCalledTimes(1);
  });

  it('is looked for again when no worker shows it yet, and not for ever', async () => {
    const late = bed([[worker('w1')], [worker('w1', { egresses: [egress('EG_1')] })]]);
    late.protectBusy('EG_1');
    await vi.waitFor(() => expect(late.asked).toEqual([['w1', true]]), 10_000);
    const never = bed([[]]);
    never.protectBusy('EG_1');
    await vi.waitFor(() => expect(never.observe).toHaveBeenCalledTimes(4), 10_000);
  });

  it('is not disturbed by a platform that does not answer', async () => {
    const problems: string[] = [];
    const protectBusy = createProtectBusy(
      { protect: async () => {} },
      async () => Promise.reject(new Error('away')),
      (text) => problems.push(text),
    );
    protectBusy('EG_1');
    await vi.waitFor(() => expect(problems).toContain('away'), 10_000);
  });

  it('asks nobody where there is nothing to protect from', async () => {
    const observe = vi.fn(async () => []);
    createProtectBusy({}, observe, () => {})('EG_1');
    expect(observe).not.toHaveBeenCalled();
  });
});
