// What people run today: a Deployment of the same pods on the same cluster, sized by the rule of the HorizontalPodAutoscaler that
// LiveKit's chart brings, while the crowd calls the SDK. The rule is computed here: the cluster has no metrics server.
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1PodTemplate } from '@kubernetes/client-node';
import { egressConfig } from '../../src/dev/egress-config.ts';
import { DEFAULT_COSTS } from '../../src/fleet/cost.ts';
import { type Bed, until } from '../bed.ts';
import { type Crowd, describe, everyOther, recordCrowd, stopMany } from '../crowd.ts';
import { desiredReplicas, type HpaRule, type Recommendation, recommendations } from './hpa-rule.ts';
import { backToNothing, type PodFacts, type PodWatch } from './pods.ts';
import { type Removed, removedOf } from './removed.ts';

const RULE: HpaRule = { target: 0.6, tolerance: 0.1, minReplicas: 1, maxReplicas: 40, stabilisationMs: 20_000 };
const SYNC_MS = 15_000;
/** What LiveKit charges for audio only. */
const CORES_PER_EGRESS = DEFAULT_COSTS.audioRoomComposite;
const NAME = 'egress-hpa';
const SHRINK_LIMIT_MS = RULE.stabilisationMs + 2 * SYNC_MS;
const SETTING =
  `HPA: ${RULE.target * 100} % CPU, ${RULE.minReplicas} to ${RULE.maxReplicas} pods, each ${SYNC_MS / 1_000} s, shrinks after ` +
  `${RULE.stabilisationMs / 1_000} s instead of 300 s, each egress taken to use the core it is charged`;

export interface HpaOutcome {
  once: Crowd;
  blind: Crowd;
  shrunk: Removed;
  setting: string;
}

export async function measureHpa(
  bed: Bed,
  watch: PodWatch,
  { rooms, coresPerPod }: { rooms: string[]; coresPerPod: number },
  report: (line: string) => void,
): Promise<HpaOutcome> {
  const deployment = await deploy(bed, watch, coresPerPod);
  const first = startAutoscaler(deployment);
  const once = await recordCrowd(bed, rooms);
  report(`HPA, SDK once with defaults: ${describe(once)}; ${first.replicas()} pods`);
  await first.stop();
  await stopMany(bed);
  await deployment.scale(RULE.minReplicas);
  await deployment.untilReady(RULE.minReplicas);

  const second = startAutoscaler(deployment);
  const blind = await recordCrowd(bed, rooms, { retry: true });
  report(`HPA, SDK with blind retry: ${describe(blind)}; ${second.replicas()} pods`);
  await second.looked();
  const full = second.replicas();
  await deployment.untilReady(full);
  const shrunk = await shrink(bed, watch, second);
  report(`HPA, half of them ended: ${second.replicas()} of ${full} pods left, ${shrunk.busy.length} busy ones gone`);
  await stopMany(bed);
  await deployment.remove();
  return { once, blind, shrunk, setting: SETTING };
}

/** Half of the recordings end, and the autoscaler takes pods away. */
async function shrink(bed: Bed, watch: PodWatch, autoscaler: Autoscaler): Promise<Removed> {
  const pods = watch.living();
  const full = autoscaler.replicas();
  await stopHalf(bed);
  await until(
    'the HPA to take pods away',
    async () => autoscaler.replicas(),
    (replicas) => replicas < full,
    SHRINK_LIMIT_MS,
  ).catch(() => undefined);
  await autoscaler.stop();
  await sleep(SETTLE_MS);
  return removedOf(bed, pods);
}

/** The kubelet hears of a deletion, and signals. */
const SETTLE_MS = 2_000;

type Deployment = Awaited<ReturnType<typeof deploy>>;

async function deploy(bed: Bed, watch: PodWatch, coresPerPod: number) {
  const { controlPlane, fleet } = bed.cluster;
  const of = ['-n', fleet.namespace];
  const pods = () => watch.living().filter(({ labels, leavingMs }) => labels.app === NAME && leavingMs === undefined);
  const untilReady = (count: number) =>
    until(
      `${count} ready pods of the Deployment`,
      async () => pods(),
      (seen) => seen.length === count && seen.every(({ readyMs }) => readyMs !== undefined),
    );
  await controlPlane.kubectl(['apply', ...of, '-f', '-'], JSON.stringify(await manifest(bed, coresPerPod)));
  await untilReady(RULE.minReplicas);
  return {
    utilisations: () => pods().map((pod) => utilisationOf(pod, coresPerPod)),
    scale: (replicas: number) => controlPlane.kubectl(['scale', 'deployment', NAME, ...of, `--replicas=${replicas}`]),
    untilReady,
    async remove() {
      await controlPlane.kubectl(['delete', 'deployment', NAME, ...of, '--wait=false']);
      await backToNothing(bed.cluster, watch);
    },
  };
}

/** The pods of the PodTemplate, without what makes them Reelkit's: they listen on LiveKit's Redis, all on the same topic. */
async function manifest(bed: Bed, coresPerPod: number): Promise<object> {
  const { controlPlane, fleet } = bed.cluster;
  const { podTemplate, namespace = '' } = fleet.capacity;
  const text = await controlPlane.kubectl(['get', 'podtemplate', podTemplate, '-n', namespace, '-o', 'json']);
  const { spec } = (JSON.parse(text) as V1PodTemplate).template ?? {};
  const [container] = spec?.containers ?? [];
  // As a pod of Reelkit's has it; without it every core of this machine would count.
  const env = [
    { name: 'EGRESS_CONFIG_BODY', value: egressConfig(bed.stack) },
    { name: 'LIVEKIT_CPU_REQUEST', value: String(coresPerPod) },
  ];
  const labels = { app: NAME };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: NAME },
    spec: {
      replicas: RULE.minReplicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { ...spec, containers: [{ ...container, env }] } },
    },
  };
}

/**
 * Without media a worker uses nothing, and its own figure goes back to that 15 s after a start. So an egress is taken to use what
 * it is charged for as long as it goes on, which lets the autoscaler see more than it would.
 */
function utilisationOf({ egresses, readyMs }: PodFacts, coresPerPod: number): number | undefined {
  return readyMs === undefined ? undefined : (egresses.size * CORES_PER_EGRESS) / coresPerPod;
}

type Autoscaler = ReturnType<typeof startAutoscaler>;

function startAutoscaler({ utilisations, scale }: Deployment) {
  const stopped = new AbortController();
  let recommended: Recommendation[] = [];
  let replicas = RULE.minReplicas;
  let syncs = 0;
  const sync = async () => {
    recommended = recommendations(RULE, { replicas, utilisations: utilisations(), recommended, nowMs: Date.now() });
    const wanted = desiredReplicas(replicas, recommended);
    if (wanted !== replicas) await scale(wanted);
    replicas = wanted;
    syncs += 1;
  };
  const loop = async () => {
    // The burst falls into the middle of an interval.
    for (let waitMs = SYNC_MS / 2; !stopped.signal.aborted; waitMs = SYNC_MS) {
      await sleep(waitMs, undefined, { signal: stopped.signal }).catch(() => undefined);
      if (!stopped.signal.aborted) await sync();
    }
  };
  const running = loop();
  running.catch(() => undefined);
  return {
    replicas: () => replicas,
    /** Once more. */
    async looked() {
      const before = syncs;
      await until(
        'the HPA to look',
        async () => syncs,
        (now) => now > before,
      );
    },
    async stop() {
      stopped.abort();
      await running;
    },
  };
}

async function stopHalf(bed: Bed): Promise<void> {
  const sdk = bed.sdk(30);
  const active = await sdk.listEgress({ active: true });
  const numberOf = ({ roomName }: { roomName: string }) => Number(roomName.split('-').at(-1));
  const half = everyOther(
    active.toSorted((a, b) => numberOf(a) - numberOf(b)),
    0,
  );
  await Promise.allSettled(half.map(({ egressId }) => sdk.stopEgress(egressId)));
}
