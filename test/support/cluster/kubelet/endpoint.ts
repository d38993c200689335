// A pod's own address: a loopback address that no other pod has, where the pod's named ports lead to the real ports of its
// process. Linux only: there all of 127.0.0.0/8 is this machine.
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { V1Container } from '@kubernetes/client-node';

export interface Endpoint {
  readonly ip: string;
  /** Ends the connections there are, with a reset. */
  drop(): void;
  /** Takes no new ones. */
  close(): void;
}

const tries = 20;

/** @param target the port of this machine that a named port leads to; undefined: connections are dropped */
export async function openEndpoint(
  container: V1Container,
  target: (name: string) => number | undefined,
): Promise<Endpoint> {
  for (let attempt = 1; ; attempt++) {
    const ip = `127.${randomInt(64, 128)}.${randomInt(256)}.${randomInt(1, 255)}`;
    const servers: Server[] = [];
    const clients = new Set<Socket>();
    const accept = (client: Socket, port: number | undefined) => {
      clients.add(client);
      client.once('close', () => clients.delete(client));
      forward(client, port);
    };
    try {
      for (const { name = '', containerPort } of container.ports ?? []) {
        const server = createServer((client) => accept(client, target(name)));
        servers.push(server);
        server.listen(containerPort, ip);
        await once(server, 'listening');
      }
      const drop = () => {
        for (const client of clients) client.resetAndDestroy();
      };
      return { ip, drop, close: () => closeAll(servers) };
    } catch (error) {
      closeAll(servers);
      if (attempt === tries || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    }
  }
}

function closeAll(servers: Server[]): void {
  for (const server of servers) server.close();
}

function forward(client: Socket, port: number | undefined): void {
  client.on('error', () => client.destroy());
  if (port === undefined) return void client.resetAndDestroy();
  const worker = connect(port, '127.0.0.1');
  worker.on('error', () => client.resetAndDestroy());
  worker.on('close', () => client.destroy());
  client.on('close', () => worker.destroy());
  client.pipe(worker).pipe(client);
}
