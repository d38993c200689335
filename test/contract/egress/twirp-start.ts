// One StartEgress over HTTP with a deadline of its own, which the SDK cannot send: what came back, or did not, is the reply.
import { EgressInfo } from '@livekit/protocol';
import { AccessToken } from 'livekit-server-sdk';

export type StartReply =
  | { kind: 'accepted'; egressId: string }
  | { kind: 'error'; httpStatus: number; twirpCode: string; message: string }
  | { kind: 'timeout' };

interface Request {
  method: string;
  message: { toBinary(): Uint8Array };
}

export function twirpStart({ url, apiKey, apiSecret }: { url: string; apiKey: string; apiSecret: string }) {
  return async ({ method, message }: Request, timeoutMs: number): Promise<StartReply> => {
    const token = new AccessToken(apiKey, apiSecret);
    token.addGrant({ roomRecord: true });
    try {
      const response = await fetch(`${url.replace(/^ws/, 'http')}/twirp/livekit.Egress/${method}`, {
        method: 'POST',
        headers: {
          'Content-Type': 'application/protobuf',
          Authorization: `Bearer ${await token.toJwt()}`,
          'X-Twirp-Timeout-Ms': String(timeoutMs),
        },
        body: message.toBinary() as Uint8Array<ArrayBuffer>,
        signal: AbortSignal.timeout(timeoutMs + 2_000),
      });
      const body = new Uint8Array(await response.arrayBuffer());
      if (response.ok) return { kind: 'accepted', egressId: EgressInfo.fromBinary(body).egressId };
      const { code, msg } = JSON.parse(new TextDecoder().decode(body)) as { code: string; msg: string };
      return { kind: 'error', httpStatus: response.status, twirpCode: code, message: msg };
    } catch (error) {
      if (error instanceof DOMException && error.name === 'TimeoutError') return { kind: 'timeout' };
      throw error;
    }
  };
}
