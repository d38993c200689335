// POST /webhooks/livekit: LiveKit's webhooks become signals. Hints only: whoever receives one looks before believing it.
// Answers 503 when Temporal is away, because LiveKit then sends it again.
import type { HintOf, WebhookHint } from '../../livekit/webhook.ts';
import { errors } from '../errors.ts';
import type { Recordings } from '../recordings/recordings.ts';
import { defineRoute, type Reply, type Route } from '../route.ts';

export interface WebhookRouteParts {
  recordings: Recordings;
  hintOf: HintOf;
  report: (hint: WebhookHint, outcome: string) => void;
}

export function webhookRoutes({ recordings, hintOf, report }: WebhookRouteParts): Route[] {
  async function pass(hint: WebhookHint): Promise<string> {
    if (hint.kind === 'nothing') return `ignored: ${hint.why}`;
    return `${await recordings.lookAtRoom(hint.room, hint.why)} recordings look`;
  }

  const receive = defineRoute<unknown, unknown, unknown>({
    method: 'post',
    path: '/webhooks/livekit',
    tag: 'livekit',
    summary: "Receives LiveKit's webhooks",
    description:
      "Authenticated by LiveKit's own signature over the body. Optional: add it to `webhook.urls` in livekit.yaml, and waiting recordings hear at once that their room opened or closed.",
    auth: 'signature',
    responses: { 200: { description: 'Taken, or not of interest' } },
    problems: ['unauthenticated', 'temporal_unavailable'],
    async handler({ body, header }): Promise<Reply> {
      const raw = typeof body === 'string' ? body : '';
      const hint = await hintOf(raw, header('authorization')).catch((cause: unknown) => {
        throw errors.badSignature(cause);
      });
      report(hint, await pass(hint));
      return { status: 200 };
    },
  });
  return [receive];
}
