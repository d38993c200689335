// A TCP proxy on loopback whose network can be made bad: slow, cut, refusing, or silent without an end.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface TcpProxy {
  readonly port: number;
  /** Each piece of an answer comes this much later. */
  delay(ms: number): void;
  /** Ends the connections there are; new ones work. */
  cut(): void;
  /** New connections are refused, or rather closed at once, and the old ones end. */
  refuse(refusing: boolean): void;
  /** Connections stay open and nothing comes through any more, in both directions; new ones are the same. */
  freeze(frozen: boolean): void;
  stop(): Promise<void>;
}

export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let delayMs = 0;
  let refusing = false;
  let frozen = false;

  const server = createServer((client) => {
    if (refusing) {
      client.destroy();
      return;
    }
    const target = connect(targetPort, '127.0.0.1');
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    }
    forward(client, target);
    forward(target, client, true);
  });

  function forward(from: Socket, to: Socket, isAnswer = false): void {
    // One after the other, so that pieces keep their order however long they wait.
    let last: Promise<unknown> = Promise.resolve();
    from.on('data', (data) => {
      if (frozen) return;
      const wait = isAnswer && delayMs > 0 ? sleep(delayMs) : undefined;
      last = last.then(() => wait).then(() => to.writable && to.write(data));
    });
    from.on('end', () => void last.then(() => to.end()));
    from.on('error', () => to.destroy());
    from.on('close', () => void last.then(() => to.destroySoon()));
  }

  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    delay(ms) {
      delayMs = ms;
    },
    cut,
    refuse(value) {
      refusing = value;
      if (value) cut();
    },
    freeze(value) {
      frozen = value;
      // What was swallowed cannot be made up for: those connections are lost.
      if (!value) cut();
    },
    async stop() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
