// A proxy before LiveKit for tests that were written for a mock: where the mock knows every id, an egress that lives is named instead.
// Everything else passes as it is.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { ListEgressRequest, StopEgressRequest, UpdateLayoutRequest, UpdateStreamRequest } from '@livekit/protocol';
import { freePorts } from '../../../src/dev/ports.ts';

const NAMING = {
  UpdateLayout: UpdateLayoutRequest,
  UpdateStream: UpdateStreamRequest,
  ListEgress: ListEgressRequest,
  StopEgress: StopEgressRequest,
} as const;

export type NamingMethod = keyof typeof NAMING;
export const NAMING_METHODS = Object.keys(NAMING) as NamingMethod[];

export interface LivingIds {
  readonly url: string;
  close(): Promise<void>;
}

/** @param ids one egress for each method, as one may end what another needs */
export async function nameLivingIds(livekitUrl: string, ids: Record<NamingMethod, string>): Promise<LivingIds> {
  const target = livekitUrl.replace(/^ws/, 'http');
  const [port = 0] = await freePorts(1);
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const path = request.url ?? '';
    const method = NAMING_METHODS.find((name) => path === `/twirp/livekit.Egress/${name}`);
    const { authorization = '', 'content-type': contentType = '' } = request.headers;
    const asked = Buffer.concat(chunks);
    const answer = await fetch(target + path, {
      method: request.method ?? 'GET',
      headers: { authorization, 'content-type': contentType },
      ...(request.method === 'POST' ? { body: method ? renamed(asked, method, ids[method]) : asked } : {}),
    });
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
    response.end(Buffer.from(await answer.arrayBuffer()));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => new Promise((resolve) => server.close(() => resolve()).closeAllConnections()),
  };
}

function renamed(body: Buffer, method: NamingMethod, egressId: string): Uint8Array<ArrayBuffer> {
  const message = NAMING[method].fromBinary(body);
  message.egressId = egressId;
  return Uint8Array.from(message.toBinary());
}
