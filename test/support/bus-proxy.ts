// A proxy between one process and Redis that knows what is published through it: each message may pass, be lost, or be kept until
// the test says which. Everything else goes through as it comes.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Redis } from 'ioredis';
import { createRespReader, type RespFrame, respCommand } from './resp.ts';

export interface BusMessage {
  /** By the process behind the proxy, or to it. */
  way: 'sent' | 'received';
  channel: string;
  payload: Uint8Array;
}

export type Fate = 'passes' | 'lost';

export interface BusProxy {
  readonly address: string;
  /** Asked for every message. What is kept is overtaken by what follows. */
  judge: (message: BusMessage) => Fate | Promise<Fate>;
  stop(): Promise<void>;
}

/** Nobody listens there: a lost message is published all the same, so that its sender gets the answer it waits for. */
const NOWHERE = 'lost-by-a-test';

export async function startBusProxy(target: string): Promise<BusProxy> {
  const [host = '', port = ''] = target.split(':');
  const late = new Redis(Number(port), host);
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const redis = connect(Number(port), host);
    for (const socket of [client, redis]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        sockets.delete(socket);
        client.destroy();
        redis.destroy();
      });
    }
    const fromClient = createRespReader();
    client.on('data', (data) => {
      for (const frame of fromClient(data)) redis.write(sent(frame));
    });
    const fromRedis = createRespReader();
    redis.on('data', (data) => {
      for (const frame of fromRedis(data)) receive(frame, client);
    });
  });

  /** @returns what goes to Redis in its place */
  function sent({ raw, value }: RespFrame): Buffer {
    if (!Array.isArray(value) || !is(value[0], 'publish')) return raw;
    const [, channel, payload] = value as Buffer[];
    const fate = proxy.judge({ way: 'sent', channel: String(channel), payload: plain(payload) });
    if (fate === 'passes') return raw;
    const copy = Buffer.from(payload ?? '');
    void Promise.resolve(fate).then(async (told) => {
      if (told === 'passes') await late.publish(String(channel), copy);
    });
    return respCommand('PUBLISH', NOWHERE, copy);
  }

  function receive({ raw, value }: RespFrame, client: Socket): void {
    const message = Array.isArray(value) && (is(value[0], 'message') || is(value[0], 'pmessage')) ? value : undefined;
    const [payload, channel] = (message?.toReversed() ?? []) as Buffer[];
    const fate = message
      ? proxy.judge({ way: 'received', channel: String(channel), payload: plain(payload) })
      : 'passes';
    if (fate === 'passes') client.write(raw);
    else {
      const copy = Buffer.from(raw);
      void Promise.resolve(fate).then((told) => {
        if (told === 'passes' && client.writable) client.write(copy);
      });
    }
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy: BusProxy = {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    judge: () => 'passes',
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      late.disconnect();
      await once(server, 'close');
    },
  };
  return proxy;
}

function is(value: unknown, word: string): boolean {
  return Buffer.isBuffer(value) && String(value).toLowerCase() === word;
}

function plain(bytes: Buffer | undefined): Uint8Array {
  return new Uint8Array(bytes ?? []);
}
