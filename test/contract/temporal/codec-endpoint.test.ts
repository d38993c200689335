// The codec endpoint as Temporal's own tools use it: its CLI reads an encrypted workflow through it and not without, and the Web
// UI of the local stack is told where it is.
import { createServer, type Server } from 'node:http';
import { execa } from 'execa';
import express from 'express';
import { AccessToken } from 'livekit-server-sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAuthenticate } from '../../../src/api/auth/auth.ts';
import { createLimits } from '../../../src/api/limits.ts';
import { mountRoutes } from '../../../src/api/route.ts';
import { codecRoutes } from '../../../src/api/routes/codec.ts';
import { ensureComponents } from '../../../src/dev/components.ts';
import { createPayloadCodec } from '../../../src/temporal/codec.ts';
import { newKey, type SecretsBed, startSecretsBed } from './secrets-bed.ts';

const KEYS = ['devkey', 'a-secret-of-at-least-thirty-two-bytes'] as const;
const SECRET = 'a-stream-key-of-somebody';
const key = newKey('k1');

let bed: SecretsBed;
let server: Server;
let cli: (...args: string[]) => Promise<string>;

beforeAll(async () => {
  bed = await startSecretsBed();
  const { temporal } = await ensureComponents(['temporal'], () => {});
  const app = express();
  mountRoutes(app, codecRoutes({ codec: createPayloadCodec([key]) }), {
    authenticate: createAuthenticate([{ apiKey: KEYS[0], apiSecret: KEYS[1] }]),
    limits: createLimits(1_000),
    stopping: new AbortController().signal,
  });
  server = createServer(app);
  const { host, port } = bed.stack.api;
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  const { address, namespace } = bed.stack.temporal;
  cli = async (...args) =>
    (await execa(temporal, [...args, '--address', address, '--namespace', namespace], { reject: false, all: true }))
      .all;
});
afterAll(async () => {
  server?.close();
  await bed?.close();
});

describe('the codec endpoint', () => {
  it("lets Temporal's CLI show what is stored, and only with an operator's token", async () => {
    const { workflow } = bed.client([key]);
    await workflow.start('nothing', { workflowId: 'shown', taskQueue: 'nobody', args: [SECRET] });
    const shown = new RegExp(`${SECRET}|${Buffer.from(JSON.stringify(SECRET)).toString('base64')}`);
    const show = (...args: string[]) => cli('workflow', 'show', '--workflow-id', 'shown', '--output', 'json', ...args);
    expect(await show()).not.toMatch(shown);
    const endpoint = ['--codec-endpoint', `${bed.stack.api.url}/codec`];
    expect(await show(...endpoint)).not.toMatch(shown);
    expect(await show(...endpoint, '--codec-auth', `Bearer ${await token()}`)).toMatch(shown);
  });

  it('is told to the Web UI of the local stack', async () => {
    const settings = await (await fetch(`${bed.stack.temporal.uiUrl}/api/v1/settings`)).json();
    expect(settings).toMatchObject({ Codec: { Endpoint: `${bed.stack.api.url}/codec` } });
  });
});

async function token(): Promise<string> {
  const made = new AccessToken(...KEYS, { identity: 'operator', ttl: 60 });
  made.addGrant({ roomRecord: true });
  return made.toJwt();
}
