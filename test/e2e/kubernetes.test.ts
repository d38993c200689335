// Recordings on a cluster, through HTTP only: a burst from no worker and no node to files and back to nothing; a node drained, a new
// image rolled out, a worker's node lost and the API server away, each in the middle of it.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { repositoryRoot } from '../../src/dev/components/sources.ts';
import type { RecordingView } from '../../src/recording/view.ts';
import { useStack } from '../support/stack.ts';
import { ACTIVE, isLive } from '../support/stack-livekit.ts';
import { recordedRooms } from '../support/stack-rooms.ts';
import { holdsFor, waitFor } from '../support/stack-wait.ts';

const BOOT_MS = 1_500;
const e2e = useStack({
  fleet: { maxWorkers: 12 },
  cluster: { pool: { bootMs: BOOT_MS, cores: 8, maxNodes: 6 } },
});
/** Node boot, worker boot and start on two cores. */
const START_MS = 90_000;

const { record, untilRecording, close, ...rooms } = recordedRooms(e2e);

/** In one part each. */
async function expectCompleted(ids: string[], parts = ids.map(() => 1)): Promise<RecordingView[]> {
  const ended = await rooms.expectCompleted(ids);
  expect(ended.map((view) => view.parts.length)).toEqual(parts);
  return ended;
}

/** What was ended by force: nothing ever should be. */
const killed = () => e2e.cluster.kubelet.signals().filter(({ signal }) => signal === 'SIGKILL');

async function untilNothingIsLeft(): Promise<void> {
  await e2e.untilFleetIsEmpty();
  await waitFor('no pod', e2e.cluster.fleet.pods, ({ length }) => length === 0);
}

async function podOf(id: string): Promise<string> {
  const { parts } = await e2e.api.show(id);
  const egressId = parts.at(-1)?.egressId ?? '';
  const { workers } = await e2e.api.untilFleet(`a worker shows ${egressId}`, (fleet) =>
    fleet.workers.some(({ egressIds }) => egressIds.includes(egressId)),
  );
  return workers.find(({ egressIds }) => egressIds.includes(egressId))?.id ?? '';
}

const nodeOf = (pod: string) => e2e.cluster.kubelet.processes().find((one) => one.pod === pod)?.node ?? '';

async function doctor(changes: Record<string, string> = {}): Promise<{ ok: boolean; said: string }> {
  const config = parse(await readFile(e2e.service.configFile, 'utf8'));
  Object.assign(config.fleet.capacity, changes);
  const file = join(e2e.stack.stateDir, `doctor-${Object.keys(changes).join('-')}.yaml`);
  await writeFile(file, stringify(config));
  const { exitCode, all } = await execa(join(repositoryRoot, 'bin/reelkit'), ['doctor', '--config', file], {
    env: e2e.stack.env,
    reject: false,
    all: true,
  });
  return { ok: exitCode === 0, said: all };
}

test('doctor is content with what is installed, and names what is not right', async () => {
  const right = await doctor();
  expect(right.ok, right.said).toBe(true);
  expect(right.said).toMatch(/^ok +capacity \(kubernetes\)/m);
  const wrong = await Promise.all([
    doctor({ container: 'recorder' }),
    doctor({ namespace: 'nowhere' }),
    doctor({ context: 'elsewhere' }),
  ]);
  expect(wrong.map(({ ok }) => ok)).toEqual([false, false, false]);
  const [container, namespace, context] = wrong.map(({ said }) => said);
  expect(container).toMatch(/FAIL +capacity \(kubernetes\): PodTemplate reelkit-egress has no container "recorder"/);
  expect(namespace).toMatch(/FAIL +capacity \(kubernetes\): may not list pods.* in namespace nowhere/);
  expect(context).toMatch(/FAIL +capacity \(kubernetes\): no Kubernetes cluster to use \(no context "elsewhere"\)/);
});

test('doctor warns where the workers are in the namespace of its own pod', async () => {
  const kubeconfig = parse(await readFile(e2e.cluster.capacity.kubeconfig ?? '', 'utf8'));
  // As the client names the context of a pod's service account.
  kubeconfig.contexts[0].name = 'inClusterContext';
  kubeconfig['current-context'] = 'inClusterContext';
  const file = join(e2e.stack.stateDir, 'in-pod.kubeconfig');
  await writeFile(file, stringify(kubeconfig), { mode: 0o600 });
  const { ok, said } = await doctor({ kubeconfig: file });
  expect(ok, said).toBe(true);
  expect(said).toMatch(/^warn +capacity \(kubernetes\): the workers run in namespace reelkit, as Reelkit itself does/m);
});

test('a burst on a cluster without nodes gets exactly the pods it needs, is recorded once each, and leaves nothing', async () => {
  const { rooms, ids } = await record(6, 'burst');
  const waiting = await waitFor(
    'a recording to say what it waits for',
    () => e2e.api.show(ids[0] ?? ''),
    ({ waiting: seen, stage }) => stage === 'recording' || /no node yet/.test(seen?.detail ?? ''),
    START_MS,
  );
  expect(waiting.stage === 'recording' || waiting.waiting?.for === 'capacity').toBe(true);
  await untilRecording(ids);
  const pods = await e2e.cluster.fleet.pods();
  expect(pods).toHaveLength(6);
  const egresses = (await e2e.livekit.list()).filter(isLive);
  expect(egresses.map(({ egressId }) => egressId).sort()).toEqual([...ids].sort());
  await waitFor('every busy pod to be protected', e2e.cluster.fleet.pods, (seen) =>
    seen.every(({ metadata }) => metadata.labels?.['reelkit.dev/busy'] === 'true'),
  );

  await close(rooms);
  const ended = await expectCompleted(ids);
  expect(ended.flatMap(({ parts }) => parts.flatMap(({ files }) => files))).toHaveLength(6);
  expect((await readdir(`${e2e.stack.stateDir}/recordings`)).length).toBeGreaterThan(0);
  await untilNothingIsLeft();
  expect(killed()).toEqual([]);
});

test('draining a node in the middle of recordings takes the idle workers and waits for the busy ones', async () => {
  const { rooms, ids } = await record(2, 'drain');
  await untilRecording(ids);
  const [first = '', second = ''] = ids;
  const node = nodeOf(await podOf(first));
  await waitFor('both to be protected', e2e.cluster.fleet.pods, (pods) =>
    pods.every(({ metadata }) => metadata.labels?.['reelkit.dev/busy'] === 'true'),
  );
  let drained = false;
  const draining = e2e.cluster.controlPlane
    .kubectl(['drain', node, '--ignore-daemonsets', '--delete-emptydir-data', '--timeout=120s'])
    .then(() => {
      drained = true;
    });
  await holdsFor(
    'the recordings go on',
    6_000,
    async () => Promise.all(ids.map((id) => e2e.livekit.egressesOf(id))),
    (all) => all.every((egresses) => egresses.length === 1 && egresses[0]?.status === ACTIVE),
  );
  expect(drained).toBe(false);
  await close(rooms);
  await expectCompleted([first, second]);
  await draining;
  await untilNothingIsLeft();
  await e2e.cluster.controlPlane.kubectl(['uncordon', node]);
  expect(killed()).toEqual([]);
});

test('workers on a cordoned node take nothing new where nodes are watched, and hand over what they record', async () => {
  const { cluster, api } = e2e;
  await cluster.fleet.allowNodes();
  await e2e.restartService({ fleet: { maxWorkers: 12 }, watchNodes: true });
  const before = await record(1, 'cordon');
  await untilRecording(before.ids);
  const pod = await podOf(before.ids[0] ?? '');
  const node = nodeOf(pod);
  await cluster.controlPlane.kubectl(['cordon', node]);
  await api.untilFleet('its worker to be sent nothing more', ({ decisions }) =>
    decisions.some(({ line }) => line.includes(pod) && line.includes('(cordoned): sending it nothing more')),
  );
  const { parts } = await waitFor(
    'its recording to be handed over',
    () => api.show(before.ids[0] ?? ''),
    (view) => view.parts.length === 2 && view.parts[0]?.end !== undefined,
    START_MS,
  );
  expect(parts[1]?.startedAtMs).toBeLessThan(parts[0]?.endedAtMs ?? 0);
  const after = await record(1, 'cordon');
  await untilRecording(after.ids);
  const other = await podOf(after.ids[0] ?? '');
  expect(other).not.toBe(pod);
  expect(nodeOf(other)).not.toBe(node);
  await e2e.livekit.untilStatus(before.ids[0] ?? '', ACTIVE);

  await close([...before.rooms, ...after.rooms]);
  await expectCompleted([...before.ids, ...after.ids], [2, 1]);
  await e2e.restartService({ fleet: { maxWorkers: 12 } });
  await untilNothingIsLeft();
  await cluster.controlPlane.kubectl(['uncordon', node]);
  expect(killed()).toEqual([]);
});

test('a new egress image is for new workers: idle old ones are replaced, busy ones finish', async () => {
  await e2e.restartService({ fleet: { maxWorkers: 12, minWorkers: 2 } });
  const { cluster, api } = e2e;
  await api.untilFleet(
    'two ready workers',
    ({ workers }) => workers.filter(({ state }) => state === 'ready').length === 2,
    START_MS,
  );
  const { rooms, ids } = await record(1, 'rollout');
  await untilRecording(ids);
  const busy = await podOf(ids[0] ?? '');
  await cluster.fleet.applyTemplate({ image: 'livekit/egress:v1.15.0' });
  const imageOf = (pod: { spec: { containers: { image: string }[] } }) => pod.spec.containers[0]?.image;
  const pods = await waitFor(
    'all but the busy one to be of the new image',
    cluster.fleet.pods,
    (seen) =>
      seen.filter((pod) => imageOf(pod)?.endsWith('v1.15.0')).length >= 1 &&
      seen.filter((pod) => imageOf(pod)?.endsWith('v1.14.0')).every(({ metadata }) => metadata.name === busy),
    START_MS,
  );
  expect(pods.map(({ metadata }) => metadata.name)).toContain(busy);
  expect(cluster.kubelet.signals().filter(({ pod }) => pod === busy)).toEqual([]);
  await e2e.livekit.untilStatus(ids[0] ?? '', ACTIVE);

  await close(rooms);
  await expectCompleted(ids);
  await waitFor(
    'the old one to be replaced',
    cluster.fleet.pods,
    (seen) => seen.every((pod) => imageOf(pod)?.endsWith('v1.15.0')),
    START_MS,
  );
  await e2e.restartService({ fleet: { maxWorkers: 12 } });
  await untilNothingIsLeft();
  expect(killed()).toEqual([]);
});

test('a recording whose node dies goes on with a next part on another node', async () => {
  const { rooms, ids } = await record(1, 'node');
  await untilRecording(ids);
  const [id = ''] = ids;
  const lost = nodeOf(await podOf(id));
  await e2e.cluster.kubelet.loseNode(lost);
  await waitFor(
    'a second part that records',
    () => e2e.api.show(id),
    ({ stage, parts }) => stage === 'recording' && parts[1]?.startedAtMs !== undefined,
    120_000,
  );
  expect(nodeOf(await podOf(id))).not.toBe(lost);
  await close(rooms);
  expect(await e2e.api.untilEnded(id)).toMatchObject({ stage: 'completed', parts: [{ end: { status: 'LOST' } }, {}] });
  await e2e.cluster.kubelet.removeNode(lost);
  await untilNothingIsLeft();
});

test('with the API server away for a minute during a burst nothing is lost, nothing is doubled, and nothing leaks', async () => {
  const { cluster, api } = e2e;
  const before = killed().length;
  const first = await record(3, 'outage');
  await untilRecording(first.ids);
  await cluster.controlPlane.kill('apiserver');
  const downSince = performance.now();
  const second = await record(3, 'outage');
  await Promise.all(second.ids.map((id) => api.untilStage(id, 'waiting')));
  await close(first.rooms.slice(0, 1));
  await api.untilEnded(first.ids[0] ?? '');
  await waitFor(
    'the fleet to say why it launches nothing, and to see the workers it has',
    () => api.fleet(),
    ({ decisions, workers }) =>
      decisions.some(({ line }) => /API server cannot be reached/.test(line)) &&
      workers.filter(({ busy }) => busy).length >= 2,
    START_MS,
  );
  await sleep(Math.max(0, 60_000 - (performance.now() - downSince)));
  await cluster.controlPlane.restart('apiserver');

  await untilRecording(second.ids, 150_000);
  await close([...first.rooms.slice(1), ...second.rooms]);
  await expectCompleted([...first.ids, ...second.ids]);
  await untilNothingIsLeft();
  expect(killed()).toHaveLength(before);
}, 360_000);
