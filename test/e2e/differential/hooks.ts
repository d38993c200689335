// Where LiveKit's webhooks arrive: kept as they came, so that each SDK checks the signatures itself.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { JsonObject } from '@bufbuild/protobuf';
import { freePorts } from '../../../src/dev/ports.ts';

export interface Hook {
  /** Path and query, as it was called. */
  path: string;
  contentType: string;
  authorization: string;
  body: string;
  event: string;
  egress: JsonObject;
}

export interface Hooks {
  readonly url: string;
  of(egressId: string): Hook[];
  close(): Promise<void>;
}

export async function receiveHooks(): Promise<Hooks> {
  const received: Hook[] = [];
  const [port = 0] = await freePorts(1);
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    const { event, egressInfo } = JSON.parse(body) as { event: string; egressInfo?: JsonObject };
    const { 'content-type': contentType = '', authorization = '' } = request.headers;
    if (egressInfo)
      received.push({ path: request.url ?? '', contentType, authorization, body, event, egress: egressInfo });
    response.end();
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${port}`,
    of: (egressId) => received.filter(({ egress }) => egress.egressId === egressId),
    close: () => new Promise((resolve) => server.close(() => resolve()).closeAllConnections()),
  };
}
