// What every capacity provider that launches workers must do. One suite, run against each of them with real workers.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Capacity } from '../../../src/capacity/guard.ts';
import type { CapacityErrorKind, Worker } from '../../../src/capacity/provider.ts';
import { createProbe } from '../../../src/livekit/probe.ts';
import { eventually } from './eventually.ts';
import { workersOf } from './open.ts';

export interface ProviderUnderTest {
  provider: Capacity;
  /** Ends a worker as a crash would, behind the provider's back. */
  crash(id: string): Promise<void>;
  stop(): Promise<void>;
  /** Another Reelkit with the same settings, which knows nothing of the first. */
  successor(): Promise<Capacity>;
  /** A process that launches this many with this token and is killed when the first of them can be seen. */
  killedWhileLaunching(count: number, token: string): Promise<void>;
  /** A worker that somebody else put into the fleet. @returns its id. Absent where nobody can. */
  unasked?(): Promise<string>;
  /** Starts something on the worker that listens there. */
  occupy(topic: string): Promise<{ egressId: string; stop(): Promise<void> }>;
  /** Answers come this late until it is called with 0. Absent where nothing is asked over a network. */
  slow?(ms: number): void;
}

/** One way in which the platform says no. */
export interface Refusal {
  name: string;
  kind: CapacityErrorKind;
  /** What the error must name. */
  message: RegExp;
  /** A provider that is refused, or what makes it so; `undo` ends it. */
  provoke(subject: ProviderUnderTest): Promise<{ provider: Capacity; undo: () => Promise<void> }>;
}

/** A loaded machine answers late; nothing here is about how fast. */
const PROBE_MS = 10_000;

export function describeProvider(
  name: string,
  setup: () => Promise<ProviderUnderTest>,
  refusals: readonly Refusal[] = [],
): void {
  describe(`the capacity provider ${name}`, () => {
    let subject: ProviderUnderTest;
    const probe = createProbe({ timeoutMs: PROBE_MS });
    const token = () => `t${randomUUID().slice(0, 8)}`;

    const living = async (): Promise<Worker[]> =>
      (await workersOf(subject.provider)).filter(({ state }) => state !== 'gone');
    const find = async (id: string) => (await workersOf(subject.provider)).find((worker) => worker.id === id);
    const isGone = async (id: string) => ((await find(id))?.state ?? 'gone') === 'gone';
    const answers = async (id: string) => (await probe((await find(id)) ?? {})).answered;
    const isRunning = async (id: string) => (await find(id))?.state === 'running' && (await answers(id));
    const launchReady = async (count: number) => {
      const { launched } = await subject.provider.launch(count, token());
      await eventually(async () => (await Promise.all(launched.map(isRunning))).every(Boolean));
      return launched as [string, ...string[]];
    };
    const removeAll = async () => {
      for (const { id } of await living()) await subject.provider.remove(id);
      await eventually(async () => (await living()).length === 0);
    };

    beforeAll(async () => {
      subject = await setup();
    });
    afterAll(() => subject?.stop());

    it('begins with no worker and nothing to complain about', async () => {
      expect(await living()).toEqual([]);
      expect(await subject.provider.check()).toEqual([]);
    });

    it('launches several workers in one step, and lists each with its cores and addresses', async () => {
      const beforeMs = Date.now();
      const ids = await launchReady(3);
      expect(new Set(ids).size).toBe(3);
      const workers = await living();
      expect(workers.map(({ id }) => id).sort()).toEqual([...ids].sort());
      for (const worker of workers) {
        expect(worker).toMatchObject({
          state: 'running',
          owned: true,
          cpuCores: subject.provider.limits.coresPerWorker,
        });
        expect(worker.launchedAtMs).toBeGreaterThanOrEqual(beforeMs - 1_000);
        const metrics = await fetch(worker.metricsUrl ?? '').then((response) => response.text());
        expect(metrics).toContain(`cluster_id="${worker.topic}"`);
        const answer = await probe(worker);
        expect(answer).toMatchObject({ answered: true, egresses: [], outOfService: false, freeCores: worker.cpuCores });
      }
      expect(new Set(workers.map(({ topic }) => topic)).size).toBe(3);
      await removeAll();
    });

    it('launches nothing more when the same launch is repeated, one after the other or at once', async () => {
      const same = token();
      const results = await Promise.all([1, 2, 3].map(() => subject.provider.launch(2, same)));
      const again = await subject.provider.launch(2, same);
      for (const { launched } of [...results, again]) expect([...launched].sort()).toEqual([...again.launched].sort());
      await eventually(async () => (await living()).length === 2);
      const fewer = await subject.provider.launch(1, same);
      expect(again.launched).toEqual(expect.arrayContaining(fewer.launched));
      await subject.provider.launch(1, token());
      await eventually(async () => (await living()).length === 3);
      await removeAll();
    });

    it('drains exactly one: it ends by itself once idle, the others go on', async () => {
      const [drained, ...others] = await launchReady(3);
      await subject.provider.drain(drained);
      await eventually(() => isGone(drained));
      for (const id of others) expect(await answers(id)).toBe(true);
      expect((await living()).map(({ id }) => id).sort()).toEqual(others.sort());
      await removeAll();
    });

    it('removes exactly one, and never another', async () => {
      const [removed, ...others] = await launchReady(2);
      await subject.provider.drain(removed);
      await subject.provider.remove(removed);
      await eventually(() => isGone(removed));
      for (const id of others) expect(await answers(id)).toBe(true);
      await removeAll();
    });

    it('ends no busy worker: it is drained only where it may finish, and not removed before it has', async () => {
      const [busy, other] = await launchReady(2);
      const { egressId, stop } = await subject.occupy((await find(busy))?.topic ?? '');
      const runs = async () => {
        const answer = await probe((await find(busy)) ?? {});
        return answer.answered && answer.egresses.some((egress) => egress.egressId === egressId);
      };
      await eventually(runs);
      await expect(subject.provider.remove(busy)).rejects.toMatchObject({ kind: 'retryable', code: 'busy' });
      if (subject.provider.limits.drainLimitMs === undefined) {
        await subject.provider.drain(busy);
        await eventually(async () => (await find(busy))?.state === 'draining');
        await expect(subject.provider.remove(busy)).rejects.toMatchObject({ code: 'busy' });
      } else await expect(subject.provider.drain(busy)).rejects.toMatchObject({ code: 'busy' });
      expect(await runs()).toBe(true);
      await stop();
      if (subject.provider.limits.drainLimitMs !== undefined)
        await eventually(() =>
          subject.provider.drain(busy).then(
            () => true,
            () => false,
          ),
        );
      await eventually(() => isGone(busy));
      expect(await answers(other ?? '')).toBe(true);
      await removeAll();
    });

    it('says how old its list is, and one that was asked for now is new', async () => {
      const nowMs = Date.now();
      const { asOfMs } = await subject.provider.list(nowMs);
      expect(asOfMs).toBeGreaterThanOrEqual(nowMs);
      expect(asOfMs).toBeLessThanOrEqual(Date.now());
    });

    it('names each worker in the list as the launch named it, with the token of that launch', async () => {
      const same = token();
      const { launched } = await subject.provider.launch(2, same);
      const names = async () =>
        (await living()).filter((one) => one.token === same).flatMap(({ id, launchedAs = id }) => launchedAs);
      await eventually(async () => (await names()).length === 2);
      expect((await names()).sort()).toEqual([...launched].sort());
      await removeAll();
    });

    it('can give up a worker that is still booting', async () => {
      const { launched } = await subject.provider.launch(1, token());
      for (const id of launched) await subject.provider.drain(id);
      for (const id of launched) await subject.provider.remove(id);
      await eventually(async () => (await living()).length === 0);
    });

    it('shows a worker that crashed as gone, and leaves the others alone', async () => {
      const [crashed, other] = await launchReady(2);
      await subject.crash(crashed);
      await eventually(() => isGone(crashed));
      expect(await answers(other ?? '')).toBe(true);
      await removeAll();
    });

    it('adopts what a Reelkit launched that was killed in the middle of it, and launches only the rest', async () => {
      const same = token();
      await subject.killedWhileLaunching(6, same);
      const successor = await subject.successor();
      const found = (await workersOf(successor)).filter(({ state }) => state !== 'gone');
      expect(found.length).toBeGreaterThan(0);
      expect(found.map(({ owned, token }) => [owned, token])).toEqual(found.map(() => [true, same]));
      const { launched } = await successor.launch(6, same);
      await eventually(async () => (await living()).length === 6);
      expect((await living()).map(({ id }) => id).sort()).toEqual([...launched].sort());
      await successor.close?.();
      await removeAll();
    });

    it('reports a worker that nobody asked for, and neither drains nor removes it', async () => {
      if (!subject.unasked) return;
      const id = await subject.unasked();
      await eventually(async () => answers(id));
      expect(await find(id)).toMatchObject({
        owned: false,
        reason: expect.stringContaining('not launched by Reelkit'),
      });
      await subject.provider.drain(id);
      await subject.provider.remove(id);
      expect(await answers(id)).toBe(true);
      await subject.crash(id);
    });

    it('launches each worker once when the platform answers late', async () => {
      if (!subject.slow) return;
      subject.slow(1_500);
      const same = token();
      const results = await Promise.all([1, 2].map(() => subject.provider.launch(2, same))).finally(() =>
        subject.slow?.(0),
      );
      for (const { launched } of results) expect(launched).toHaveLength(2);
      await eventually(async () => (await living()).length === 2);
      await removeAll();
    });

    it.each(refusals)('says what the platform refused: $name', async ({ kind, message, provoke }) => {
      const before = (await living()).length;
      const { provider, undo } = await provoke(subject);
      const result = await provider.launch(1, token()).finally(undo);
      const problem = { kind, code: expect.stringMatching(/^\w+$/), message: expect.stringMatching(message), count: 1 };
      expect(result).toEqual({ launched: [], problems: [problem] });
      expect(await living()).toHaveLength(before);
      const [works] = await launchReady(1);
      expect(await answers(works)).toBe(true);
      await removeAll();
    });

    it('does nothing when asked to drain or remove a worker it does not know, or one that is gone', async () => {
      const [gone] = await launchReady(1);
      await subject.crash(gone);
      await eventually(() => isGone(gone));
      const [other] = await launchReady(1);
      for (const id of [gone, 'nobody']) {
        await subject.provider.drain(id);
        await subject.provider.remove(id);
      }
      expect(await answers(other)).toBe(true);
      await removeAll();
    });
  });
}
