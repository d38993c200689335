// A receiver of LiveKit's webhooks as an application has one: it checks each signature and keeps what it was told, in order.
import { createServer } from 'node:http';
import { WebhookReceiver } from 'livekit-server-sdk';
import { freePorts } from '../../src/dev/ports.ts';

type WebhookEvent = Awaited<ReturnType<WebhookReceiver['receive']>>;

export interface Webhooks {
  readonly url: string;
  /** `egress_started STARTING`, … of one egress, in order of arrival. */
  of(egressId: string): string[];
  /** When ACTIVE arrived, unix ms. */
  activeAtMs(egressId: string): number | undefined;
  /** Signatures that did not fit. */
  readonly badSignatures: number;
  /** LiveKit's keys, known once it runs; what comes before is kept and checked then. */
  trust(keys: { apiKey: string; apiSecret: string }): void;
  close(): Promise<void>;
}

const STATUSES = ['STARTING', 'ACTIVE', 'ENDING', 'COMPLETE', 'FAILED', 'ABORTED', 'LIMIT_REACHED'];

export async function receiveWebhooks(): Promise<Webhooks> {
  const [port = 0] = await freePorts(1);
  const events: (Pick<WebhookEvent, 'event' | 'egressInfo'> & { arrivedAtMs: number })[] = [];
  let badSignatures = 0;
  let receiver: WebhookReceiver | undefined;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const arrivedAtMs = Date.now();
      try {
        const event = await receiver?.receive(Buffer.concat(chunks).toString(), request.headers.authorization);
        if (event) events.push({ event: event.event, egressInfo: event.egressInfo, arrivedAtMs });
      } catch {
        badSignatures += 1;
      }
      response.writeHead(200).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const ofEgress = (egressId: string) => events.filter(({ egressInfo }) => egressInfo?.egressId === egressId);
  return {
    url: `http://127.0.0.1:${port}/`,
    of: (egressId) =>
      ofEgress(egressId).map(({ event, egressInfo }) => `${event} ${STATUSES[egressInfo?.status ?? 0]}`),
    activeAtMs: (egressId) => ofEgress(egressId).find(({ egressInfo }) => egressInfo?.status === 1)?.arrivedAtMs,
    get badSignatures() {
      return badSignatures;
    },
    trust({ apiKey, apiSecret }) {
      receiver = new WebhookReceiver(apiKey, apiSecret);
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
