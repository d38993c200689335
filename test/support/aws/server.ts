// An AWS of the tests' own: one HTTP server for all services, spoken to by the real SDK clients. Every request and every answer is
// checked against AWS's own models; what they refuse fails the test that asks for `violations`.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadModels, type Model, problemsOf, SERVICES, type ServiceName } from './models.ts';
import { readQuery, writeXml, writeXmlError } from './query.ts';

/** What a service does, by action. Input and output are those of the SDK's commands. */
export interface Service {
  name: ServiceName;
  // biome-ignore lint/suspicious/noExplicitAny: each action types its own input with the SDK's types
  actions: Record<string, (input: any) => unknown>;
}

/** An answer that is an error of AWS's. */
export class AwsFault extends Error {
  readonly code: string;
  readonly status: number;
  /** Beside code and message, for errors that carry more. */
  readonly more: Record<string, unknown>;

  constructor(code: string, message: string, status = 400, more: Record<string, unknown> = {}) {
    super(message);
    this.code = code;
    this.status = status;
    this.more = more;
  }
}

/**
 * What befalls calls, in place of an answer. throttle: as the service words it. deny: no permission. unavailable: 503. hang: no answer.
 * cut: the call has its effect, and the connection breaks before the answer. Or an error of your own.
 */
export type Fate = 'throttle' | 'deny' | 'unavailable' | 'hang' | 'cut' | AwsFault;

export interface Call {
  service: ServiceName;
  action: string;
  input: Record<string, unknown>;
  atMs: number;
}

export interface FakeAws {
  url: string;
  /** In order, those that were refused included. */
  calls: Call[];
  /** What the models refused of requests and answers; a test expects none. */
  violations: string[];
  /** Until it is undone. @param action all, when left out @param times so often */
  strike(fate: Fate, action?: string, times?: number): () => void;
  /** Every answer comes so late. */
  delay(ms: number): void;
  close(): Promise<void>;
}

export async function startFakeAws(services: readonly Service[]): Promise<FakeAws> {
  const models = await loadModels();
  const calls: Call[] = [];
  const violations: string[] = [];
  const strikes = new Set<{ fate: Fate; action: string | undefined; left: number }>();
  let delayMs = 0;

  function fateOf(action: string): Fate | undefined {
    for (const strike of strikes) {
      if (strike.action !== undefined && strike.action !== action) continue;
      strike.left -= 1;
      if (strike.left === 0) strikes.delete(strike);
      return strike.fate;
    }
    return undefined;
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await textOf(request);
    const asked = readCall(models, request, body);
    const { model, action } = asked;
    if (asked.problem) {
      violations.push(`${action}: ${asked.problem}`);
      calls.push({ service: model.service, action, input: asked.input, atMs: Date.now() });
      return send(
        response,
        model,
        new AwsFault(model.protocol === 'json' ? 'InvalidParameterException' : 'ValidationError', asked.problem),
      );
    }
    calls.push({ service: model.service, action, input: asked.input, atMs: Date.now() });
    if (delayMs > 0) await sleep(delayMs);
    const fate = fateOf(action);
    if (fate === 'hang') return;
    if (fate !== undefined && fate !== 'cut') return send(response, model, faultOf(fate, model, action));
    const run = services.find(({ name }) => name === model.service)?.actions[action];
    let output: unknown;
    try {
      if (!run) throw new AwsFault('InvalidAction', `the tests' AWS does not know ${action}`);
      output = await run(asked.input);
    } catch (error) {
      if (!(error instanceof AwsFault)) violations.push(`${action} failed in the fake: ${(error as Error).stack}`);
      return send(
        response,
        model,
        error instanceof AwsFault ? error : new AwsFault('InternalFailure', String(error), 500),
      );
    }
    if (fate === 'cut') return void response.socket?.destroy();
    const member = model.operations[action]?.output;
    const wrong = member ? problemsOf(model, member, output ?? {}, `${action} answer`) : [];
    violations.push(...wrong);
    send(response, model, { action, output });
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      violations.push(String(error));
      response.writeHead(500).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    violations,
    strike(fate, action, times = Infinity) {
      const strike = { fate, action, left: times };
      strikes.add(strike);
      return () => void strikes.delete(strike);
    },
    delay(ms) {
      delayMs = ms;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Asked {
  model: Model;
  action: string;
  input: Record<string, unknown>;
  problem?: string;
}

function readCall(models: Record<ServiceName, Model>, { headers }: IncomingMessage, body: string): Asked {
  const target = headers['x-amz-target'];
  const form = new URLSearchParams(target === undefined ? body : '');
  const action = target === undefined ? (form.get('Action') ?? '') : (String(target).split('.')[1] ?? '');
  const service = target === undefined ? SERVICES.find((name) => models[name].version === form.get('Version')) : 'ecs';
  const model = models[service ?? 'ecs'];
  const member = model.operations[action];
  if (service === undefined || !member) return { model, action, input: {}, problem: `there is no action ${action}` };
  try {
    const input = target === undefined ? readQuery(model, action, form) : (JSON.parse(body) as Record<string, unknown>);
    const problems = member.input ? problemsOf(model, member.input, input, action) : [];
    return { model, action, input, ...(problems.length > 0 && { problem: problems.join('; ') }) };
  } catch (error) {
    return { model, action, input: {}, problem: (error as Error).message };
  }
}

const THROTTLED = { ecs: 'ThrottlingException', autoscaling: 'Throttling', ec2: 'RequestLimitExceeded' } as const;
const DENIED = { ecs: 'AccessDeniedException', autoscaling: 'AccessDenied', ec2: 'UnauthorizedOperation' } as const;

function faultOf(fate: Exclude<Fate, 'hang' | 'cut'>, { service }: Model, action: string): AwsFault {
  if (fate instanceof AwsFault) return fate;
  if (fate === 'throttle') return new AwsFault(THROTTLED[service], 'Rate exceeded', service === 'ec2' ? 503 : 400);
  if (fate === 'unavailable') return new AwsFault('ServiceUnavailable', 'try again', 503);
  const message = `User: arn:aws:sts::123456789012:assumed-role/reelkit/1 is not authorized to perform: ${service}:${action}`;
  return new AwsFault(DENIED[service], message, service === 'ecs' ? 400 : 403);
}

function send(response: ServerResponse, model: Model, said: AwsFault | { action: string; output: unknown }): void {
  const isError = said instanceof AwsFault;
  if (model.protocol === 'json') {
    const body = isError ? { __type: said.code, message: said.message, ...said.more } : (said.output ?? {});
    response.writeHead(isError ? said.status : 200, { 'Content-Type': 'application/x-amz-json-1.1' });
    response.end(JSON.stringify(body));
    return;
  }
  response.writeHead(isError ? said.status : 200, { 'Content-Type': 'text/xml' });
  response.end(isError ? writeXmlError(model, said.code, said.message) : writeXml(model, said.action, said.output));
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}
