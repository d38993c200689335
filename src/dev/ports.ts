// Free loopback ports for the parts of the local stack. A port is only known to be free at the moment of asking.

import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

const host = '127.0.0.1';

/** `count` different ports, free for TCP and UDP at this moment. */
export async function freePorts(count: number): Promise<number[]> {
  const held = await Promise.all(Array.from({ length: count }, () => holdPort(0)));
  const ports = held.map(({ port }) => port);
  await Promise.all(held.map(({ release }) => release()));
  const alsoFreeForUdp = await Promise.all(ports.map(isUdpFree));
  return alsoFreeForUdp.every(Boolean) ? ports : freePorts(count);
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
