// The OpenAPI 3.1 document, from the routes alone. zod writes the JSON Schemas; named schemas become components.
import { z } from 'zod';
import { ERROR_CODES, type ErrorCode } from '../errors.ts';
import type { Route } from '../route.ts';
import { problemSchema } from '../schemas.ts';

export type Json = { [key: string]: unknown };

export interface Operation {
  operationId: string;
  summary: string;
  description?: string;
  tags: string[];
  security?: Record<string, string[]>[];
  parameters?: { name: string; in: string; required: boolean; description?: string; schema: Json }[];
  requestBody?: { required: boolean; content: Record<string, { schema: Json }> };
  responses: Record<string, { description: string; content?: Record<string, { schema?: Json }>; headers?: Json }>;
}

export interface OpenApiDocument {
  openapi: '3.1.0';
  info: { title: string; version: string; description: string };
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Json>; securitySchemes: Json };
}

const PROBLEM_TYPE = 'application/problem+json';
const TAGS = [
  { name: 'recordings', description: 'Ask for recordings, follow them, end them' },
  { name: 'fleet', description: 'The egress workers that record' },
  { name: 'livekit', description: 'What LiveKit calls' },
  { name: 'service', description: 'What operators and machines ask of the process' },
];
/** What a route can answer because of how it is authenticated and what it accepts. */
const TOKEN_PROBLEMS: ErrorCode[] = ['unauthenticated', 'forbidden'];
const BODY_PROBLEMS: ErrorCode[] = ['malformed_json', 'body_too_large', 'unsupported_media_type', 'invalid_request'];

export function buildOpenApi(routes: readonly Route[], version = '0.1.0'): OpenApiDocument {
  const schemas: Record<string, Json> = {};
  const toJson = (schema: z.ZodType, io: 'input' | 'output') => jsonSchema(schema, io, schemas);
  const problem = toJson(problemSchema, 'output');
  const paths: OpenApiDocument['paths'] = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method]: operationOf(route, toJson, problem) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Reelkit',
      version,
      description:
        'Durable, autoscaled recording for self-hosted LiveKit. Authenticate with a LiveKit access token that carries the `roomRecord` grant (`reelkit token` prints one). Every error is an RFC 9457 problem document with a stable `code`.',
    },
    tags: TAGS,
    paths,
    components: {
      schemas,
      securitySchemes: {
        livekitToken: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'LiveKit access token, HS256, grant `video.roomRecord`; with `video.room` for that room only',
        },
        livekitSignature: {
          type: 'apiKey',
          in: 'header',
          name: 'Authorization',
          description: "LiveKit's signed webhook token, which holds the SHA-256 of the body",
        },
      },
    },
  };
}

type ToJson = (schema: z.ZodType, io: 'input' | 'output') => Json;

function operationOf(route: Route, toJson: ToJson, problem: Json): Operation {
  const parameters = parametersOf(route, toJson);
  return {
    operationId: operationIdOf(route),
    summary: route.summary,
    ...(route.description ? { description: route.description } : {}),
    tags: [route.tag],
    ...securityOf(route),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...bodyOf(route, toJson),
    responses: { ...answersOf(route, toJson), ...problemsOf(route, problem) },
  };
}

function operationIdOf(route: Route): string {
  const words = route.path.split(/[^A-Za-z]+/).filter((word) => word && word !== 'v');
  return [route.method, ...words]
    .map((word, index) => (index ? word[0]?.toUpperCase() + word.slice(1) : word))
    .join('');
}

function securityOf(route: Route): Pick<Operation, 'security'> {
  if (route.auth === 'none') return { security: [] };
  return { security: [route.auth === 'token' ? { livekitToken: [] } : { livekitSignature: [] }] };
}

function parametersOf(route: Route, toJson: ToJson): NonNullable<Operation['parameters']> {
  const fromSchema = (schema: z.ZodType | undefined, where: 'path' | 'query') => {
    if (!schema) return [];
    const { properties = {}, required = [] } = toJson(schema, 'input') as { properties?: Json; required?: string[] };
    return Object.entries(properties as Record<string, Json>).map(([name, { description, ...inner }]) => ({
      name,
      in: where,
      required: where === 'path' || required.includes(name),
      ...(typeof description === 'string' ? { description } : {}),
      schema: inner,
    }));
  };
  const headers = (route.headers ?? []).map(({ name, description, pattern }) => ({
    name,
    in: 'header',
    required: false,
    description,
    schema: { type: 'string', pattern },
  }));
  return [...fromSchema(route.params, 'path'), ...fromSchema(route.query, 'query'), ...headers];
}

function bodyOf(route: Route, toJson: ToJson): Pick<Operation, 'requestBody'> {
  if (!route.body) return {};
  return { requestBody: { required: true, content: { 'application/json': { schema: toJson(route.body, 'input') } } } };
}

function answersOf(route: Route, toJson: ToJson): Operation['responses'] {
  return Object.fromEntries(
    Object.entries(route.responses).map(([status, { description, schema, contentType }]) => {
      const type = contentType ?? 'application/json';
      const content =
        schema || contentType ? { [type]: schema ? { schema: toJson(schema, 'output') } : {} } : undefined;
      return [status, { description, ...(content ? { content } : {}) }];
    }),
  );
}

/** One answer for each status, naming its codes. */
function problemsOf(route: Route, problem: Json): Operation['responses'] {
  const codes = new Set<ErrorCode>([
    ...(route.problems ?? []),
    ...(route.auth === 'token' ? TOKEN_PROBLEMS : []),
    ...(route.auth === 'token' && route.method === 'post' ? (['too_many_requests'] as const) : []),
    ...(route.body ? BODY_PROBLEMS : []),
  ]);
  const byStatus = new Map<number, string[]>();
  for (const code of codes) {
    const { status, title } = ERROR_CODES[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), `${title} (\`${code}\`)`]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, titles]) => [
      String(status),
      { description: titles.join('; '), content: { [PROBLEM_TYPE]: { schema: problem } } },
    ]),
  );
}

/** Schemas with an `id` in their metadata move to the components, wherever they are nested. */
function jsonSchema(schema: z.ZodType, io: 'input' | 'output', components: Record<string, Json>): Json {
  const written = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override: ({ jsonSchema }) => tidy(jsonSchema),
  });
  const { $schema: _, $defs, ...root } = withComponentRefs(written as Json) as Json & { $defs?: Record<string, Json> };
  for (const [name, { id: __, ...component }] of Object.entries($defs ?? {})) components[name] = component;
  return root;
}

/** zod writes the range of safe integers into every integer: true, and noise. */
function tidy(schema: { minimum?: unknown; maximum?: unknown }): void {
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
}

function withComponentRefs(schema: Json): Json {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/')) as Json;
}
