// The readiness probe of a container: httpGet against the process's real port, one answer at a time.
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Container, V1Probe } from '@kubernetes/client-node';
import type { EgressWorker } from './worker.ts';

/** Until a container is ready for the first time it is asked this often, so that tests start quickly. */
const firstMs = 150;
const defaultPort = 'health';

/**
 * Asks for as long as the process lives, and tells each time the answer changes. A container without a probe of its own is
 * asked too, once a second: here nothing counts as ready that does not answer.
 */
export async function keepProbing(
  container: V1Container,
  worker: EgressWorker,
  isDeaf: () => boolean,
  tell: (ready: boolean) => void,
): Promise<void> {
  const probe = container.readinessProbe ?? {};
  const { path = '/', port = defaultPort } = probe.httpGet ?? {};
  const realPort = realPortOf(container, worker, port);
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1_000;
  let ready = false;
  let failures = 0;
  await sleep((probe.initialDelaySeconds ?? 0) * 1_000);
  while (worker.isRunning()) {
    const answered = !isDeaf() && (await answers(realPort, path, timeoutMs));
    if (!worker.isRunning()) return;
    failures = answered ? 0 : failures + 1;
    if (answered !== ready && (answered || failures >= (probe.failureThreshold ?? 3))) {
      ready = answered;
      tell(ready);
    }
    await sleep(ready || failures === 0 ? periodMs(probe) : Math.min(firstMs, periodMs(probe)));
  }
}

function periodMs({ periodSeconds = 1 }: V1Probe): number {
  return periodSeconds * 1_000;
}

function realPortOf({ ports = [] }: V1Container, worker: EgressWorker, port: string | number): number | undefined {
  const name = typeof port === 'string' ? port : ports.find(({ containerPort }) => containerPort === port)?.name;
  return worker.ports[name ?? ''];
}

function answers(port: number | undefined, path: string, timeoutMs: number): Promise<boolean> {
  if (port === undefined) return Promise.resolve(false);
  return new Promise((resolve) => {
    const asking = request({ host: '127.0.0.1', port, path, timeout: timeoutMs, agent: false }, (response) => {
      response.resume();
      const { statusCode = 0 } = response;
      resolve(statusCode >= 200 && statusCode < 400);
    });
    asking.once('error', () => resolve(false));
    asking.once('timeout', () => asking.destroy());
    asking.end();
  });
}
