// Free loopback ports for worker processes. Chosen below the range the system gives to outgoing connections, because a worker
// may bind its ports only after a boot delay.
import { createServer } from 'node:net';

const FIRST = 20_000;
const LAST = 31_999;
const TRIES = 500;

/** @param taken ports promised to workers that may not have bound them yet; what is found is added */
export async function findFreePorts(count: number, taken: Set<number>): Promise<number[]> {
  const found: number[] = [];
  for (let tries = 0; found.length < count && tries < TRIES; tries += 1) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1));
    if (taken.has(port)) continue;
    taken.add(port);
    if (await isFree(port)) found.push(port);
    else taken.delete(port);
  }
  if (found.length < count) throw new Error(`no free loopback port between ${FIRST} and ${LAST} after ${TRIES} tries`);
  return found;
}

/** On all addresses: livekit/egress binds its health and metrics ports to all of them. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, () => server.close(() => resolve(true)));
  });
}
