// The HTTP server of a process: where it listens, what is said when it cannot, and its orderly end.
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** @throws with the setting to change when the port is taken or the host is none of this machine's */
export async function listenOn(app: RequestListener, { host, port }: { host: string; port: number }): Promise<Server> {
  const server = createServer(app);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenProblem(error, host, port)));
    server.listen(port, host, resolve);
  });
  return server;
}

/** `close` was called before: this waits for the requests that are still being answered. */
export function drained(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const check = () => server.getConnections((error, count) => (error || count === 0 ? finish() : undefined));
    const timer = setInterval(() => {
      server.closeIdleConnections();
      check();
    }, 50);
    const finish = () => {
      clearInterval(timer);
      resolve();
    };
    check();
  });
}

export function urlOf(server: Server, host: string): string {
  const { port } = server.address() as AddressInfo;
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
}

function listenProblem(error: NodeJS.ErrnoException, host: string, port: number): Error {
  if (error.code === 'EADDRINUSE')
    return new Error(
      `port ${port} is taken: set another with REELKIT_PORT or api.port (a Temporal worker alone: REELKIT_HEALTH_PORT)`,
      { cause: error },
    );
  if (error.code === 'EACCES' || error.code === 'EADDRNOTAVAIL')
    return new Error(`cannot listen on ${host}:${port} (${error.code}): set REELKIT_HOST and REELKIT_PORT`, {
      cause: error,
    });
  return error;
}
