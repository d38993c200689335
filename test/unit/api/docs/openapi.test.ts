import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import type { Json, OpenApiDocument } from '../../../../src/api/docs/openapi.ts';
import { ERROR_CODES } from '../../../../src/api/errors.ts';
import { ROOM_BODY, startTestApi } from '../support.ts';

async function readDocument(): Promise<OpenApiDocument> {
  const api = await startTestApi();
  return (await (await api.request('/openapi.json', { token: null })).json()) as OpenApiDocument;
}

function everyRef(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === '$ref' && typeof inner === 'string' ? [inner] : everyRef(inner),
  );
}

/** A validator for one component, with all others at hand. */
function validatorOf(document: OpenApiDocument, name: string) {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema({ $id: 'api', components: document.components } as Json);
  return ajv.compile({ $ref: `api#/components/schemas/${name}` });
}

describe('the OpenAPI document', () => {
  it('describes every route, each with a summary and its own id', async () => {
    const document = await readDocument();
    const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));
    expect(Object.keys(document.paths).sort()).toEqual(
      [
        '/codec/decode',
        '/codec/encode',
        '/codec/sign-in',
        '/docs',
        '/healthz',
        '/metrics',
        '/openapi.json',
        '/readyz',
        '/v1/fleets',
        '/v1/fleets/{name}',
        '/v1/fleets/{name}/workers/{worker}/drain',
        '/v1/fleets/{name}/workers/{worker}/forgive',
        '/v1/recordings',
        '/v1/recordings/{id}',
        '/v1/recordings/{id}/cancel',
        '/v1/recordings/{id}/events',
        '/v1/recordings/{id}/extend',
        '/v1/recordings/{id}/pause',
        '/v1/recordings/{id}/resume',
        '/v1/recordings/{id}/webhooks',
        '/v1/recordings/{id}/webhooks/replay',
        '/v1/repair',
        '/v1/webhooks/failed',
        '/webhooks/livekit',
      ].sort(),
    );
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
    for (const operation of operations) expect(operation.summary).not.toBe('');
  });

  it('refers to nothing that it does not define, and defines valid JSON Schema', async () => {
    const document = await readDocument();
    for (const ref of everyRef(document)) {
      expect(document.components.schemas, ref).toHaveProperty([ref.replace('#/components/schemas/', '')]);
    }
    for (const name of Object.keys(document.components.schemas))
      expect(() => validatorOf(document, name)).not.toThrow();
  });

  it('declares every parameter of a path', async () => {
    const { paths } = await readDocument();
    for (const [path, methods] of Object.entries(paths)) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      for (const operation of Object.values(methods)) {
        const declared = (operation.parameters ?? []).filter((one) => one.in === 'path').map(({ name }) => name);
        expect(declared).toEqual(inPath);
      }
    }
  });

  it('accepts what the API accepts, and what it answers', async () => {
    const document = await readDocument();
    const api = await startTestApi();
    const request = {
      ...ROOM_BODY,
      startWithin: '5m',
      labels: { course: '7' },
      outputs: [{ type: 'file', path: 'a' }],
    };
    expect(validatorOf(document, 'RecordingRequest')(request)).toBe(true);
    expect(validatorOf(document, 'RecordingRequest')({ source: { type: 'moon' } })).toBe(false);
    const answer = await (await api.post('/v1/recordings', request)).json();
    const valid = validatorOf(document, 'Recording');
    expect(valid(answer), JSON.stringify(valid.errors)).toBe(true);
    const page = await (await api.request('/v1/recordings')).json();
    expect(validatorOf(document, 'RecordingPage')(page)).toBe(true);
    const problem = await (await api.post('/v1/recordings', {})).json();
    expect(validatorOf(document, 'Problem')(problem)).toBe(true);
  });

  it('asks for a token exactly where the API does', async () => {
    const { paths } = await readDocument();
    for (const [path, methods] of Object.entries(paths)) {
      for (const [method, { security }] of Object.entries(methods)) {
        const scheme =
          path.startsWith('/v1/') || (path.startsWith('/codec/') && method === 'post')
            ? 'livekitToken'
            : path.startsWith('/webhooks')
              ? 'livekitSignature'
              : undefined;
        expect(security).toEqual(scheme === undefined ? [] : [{ [scheme]: [] }]);
      }
    }
  });

  it('carries the version of the package', async () => {
    const path = createRequire(import.meta.url).resolve('../../../../package.json');
    const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string };
    expect((await readDocument()).info.version).toBe(version);
  });
});

describe('the docs page', () => {
  it('needs nothing but itself: no script, no other host', async () => {
    const api = await startTestApi();
    const response = await api.request('/docs', { token: null });
    const page = await response.text();
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(page).not.toMatch(/<script|<link|<img|src=|@import|url\(/);
    expect(page).not.toMatch(/href="(?!#|\/)/);
  });

  it('leads every link to something on the page, and every error code to its entry', async () => {
    const api = await startTestApi();
    const page = await (await api.request('/docs', { token: null })).text();
    for (const [, id] of page.matchAll(/href="#([^"]+)"/g)) expect(page).toContain(`id="${id}"`);
    for (const code of Object.keys(ERROR_CODES)) expect(page).toContain(`id="error-${code}"`);
  });

  it('shows no undefined and no [object Object]', async () => {
    const api = await startTestApi();
    const page = await (await api.request('/docs', { token: null })).text();
    expect(page).not.toMatch(/undefined|\[object|NaN/);
  });
});
