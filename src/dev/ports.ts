// Free loopback ports for the parts of the local stack. A port is only known to be free at the moment of asking.

import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

const host = '127.0.0.1';

/**
 * Below the range that systems give to whoever asks for any port, and below that of the egress workers: a service that starts
 * seconds later still finds its port free. Above 10080, which fetch and browsers refuse to talk to (WHATWG Fetch, "bad port").
 */
const lowestPort = 10_081;
const highestPort = 20_000;

/** `count` different ports, free for TCP and UDP at this moment. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = randomInt(lowestPort, highestPort);
    if (!ports.has(port) && (await isPortFree(port)) && (await isUdpFree(port))) ports.add(port);
  }
  return [...ports];
}

export async function isPortFree(port: number): Promise<boolean> {
  try {
    const held = await holdPort(port);
    await held.release();
    return true;
  } catch {
    return false;
  }
}

interface HeldPort {
  port: number;
  release: () => Promise<void>;
}

function holdPort(port: number): Promise<HeldPort> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, host, () => {
      const address = server.address();
      const release = () => new Promise<void>((done) => server.close(() => done()));
      resolve({ port: typeof address === 'object' && address ? address.port : port, release });
    });
  });
}

function isUdpFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => resolve(false));
    socket.bind(port, host, () => socket.close(() => resolve(true)));
  });
}
