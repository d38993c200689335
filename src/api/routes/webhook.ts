// POST /webhooks/livekit: LiveKit's webhooks become signals. Hints only: whoever receives one looks before believing it.
// Answers 503 when Temporal is away, because LiveKit then sends it again.
import type { HintOf, WebhookHint } from '../../livekit/webhook.ts';
import { errors } from '../errors.ts';
import type { Recordings } from '../recordings.ts';
import { defineRoute, type Reply, type Route } from '../route.ts';

/**
 * LiveKit repeats what it thinks was lost, and tells both the URL of the request and those of its configuration. Each signal
 * costs an action, so what was passed on once is not passed on again.
 */
const REMEMBERED = 5_000;

export interface WebhookRouteParts {
  recordings: Recordings;
  hintOf: HintOf;
  report: (hint: WebhookHint, outcome: string) => void;
}

export function webhookRoutes({ recordings, hintOf, report }: WebhookRouteParts): Route[] {
  const seen = createRecent(REMEMBERED);
  const underWay = new Map<string, Promise<void>>();

  async function pass(hint: WebhookHint): Promise<string> {
    if (hint.kind === 'nothing') return `ignored: ${hint.why}`;
    if (hint.kind === 'room') return `${await recordings.lookAtRoom(hint.room, hint.why)} recordings look`;
    const key = `${hint.snapshot.egressId} ${hint.snapshot.status}`;
    if (seen.has(key)) return 'ignored: seen before';
    const twin = underWay.get(key);
    if (twin) return twin.then(() => 'ignored: seen before');
    const passing = recordings.signalEgress(hint.recordingId, hint.snapshot);
    underWay.set(key, passing);
    await passing.finally(() => underWay.delete(key));
    seen.add(key);
    return 'passed on';
  }

  const receive = defineRoute<unknown, unknown, unknown>({
    method: 'post',
    path: '/webhooks/livekit',
    tag: 'livekit',
    summary: "Receives LiveKit's webhooks",
    description:
      "Authenticated by LiveKit's own signature over the body. Every StartEgress of Reelkit asks LiveKit to send that egress's webhooks here; add it to `webhook.urls` in livekit.yaml too, and waiting recordings hear at once that their room opened or closed.",
    auth: 'signature',
    responses: { 200: { description: 'Taken, or not of interest' } },
    problems: ['unauthenticated', 'temporal_unavailable'],
    async handler({ body, query, header }): Promise<Reply> {
      const raw = typeof body === 'string' ? body : '';
      const hint = await hintOf(raw, header('authorization'), query as Record<string, unknown>).catch(
        (cause: unknown) => {
          throw errors.badSignature(cause);
        },
      );
      report(hint, await pass(hint));
      return { status: 200 };
    },
  });
  return [receive];
}

/** A set that forgets the oldest. */
export function createRecent(capacity: number): { has: (key: string) => boolean; add: (key: string) => void } {
  const keys = new Set<string>();
  return {
    has: (key) => keys.has(key),
    add(key) {
      keys.delete(key);
      keys.add(key);
      const [oldest] = keys;
      if (keys.size > capacity && oldest !== undefined) keys.delete(oldest);
    },
  };
}
