// What operators and machines ask of the process itself: health, readiness, metrics, and the documentation of the API.
import type { Route } from '../route.ts';
import { defineRoute } from '../route.ts';
import { healthView, type Readiness, readinessView } from '../schemas.ts';

export type ReadReadiness = () => Promise<Readiness>;

export interface ServiceRouteParts {
  readReadiness: ReadReadiness;
  readMetrics: () => Promise<{ text: string; contentType: string }>;
}

export function serviceRoutes({ readReadiness, readMetrics }: ServiceRouteParts): Route[] {
  return [
    defineRoute({
      method: 'get',
      path: '/healthz',
      tag: 'service',
      summary: 'Is the process alive?',
      auth: 'none',
      responses: { 200: { description: 'It is', schema: healthView } },
      handler: () => ({ status: 200, body: { status: 'ok' } }),
    }),
    defineRoute({
      method: 'get',
      path: '/readyz',
      tag: 'service',
      summary: 'Can it serve? Names each dependency and what is wrong with it',
      auth: 'none',
      responses: {
        200: { description: 'Ready', schema: readinessView },
        503: { description: 'A dependency is missing, or the process is shutting down', schema: readinessView },
      },
      async handler() {
        const readiness = await readReadiness();
        return { status: readiness.status === 'ready' ? 200 : 503, body: readiness };
      },
    }),
    defineRoute({
      method: 'get',
      path: '/metrics',
      tag: 'service',
      summary: 'Prometheus metrics',
      description: 'Open to whoever reaches the port: keep it inside your network.',
      auth: 'none',
      responses: { 200: { description: 'Prometheus text format', contentType: 'text/plain' } },
      async handler() {
        return { status: 200, ...(await readMetrics()) };
      },
    }),
  ];
}
