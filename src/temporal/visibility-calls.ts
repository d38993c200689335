// Every call to Temporal's visibility on one connection: held to a limit, and counted by what came of it. Each try of the SDK is a call.
import { InterceptingCall, type InterceptingListener, type Interceptor, Metadata, status } from '@grpc/grpc-js';
import type { Client } from '@temporalio/client';
import type { VisibilityLimit } from './visibility-limit.ts';

const METHODS: Readonly<Record<string, string>> = {
  CountWorkflowExecutions: 'count',
  ListWorkflowExecutions: 'list',
  ScanWorkflowExecutions: 'scan',
};
/** For calls without a deadline of their own. */
const LONGEST_MS = 30_000;
/** It stays in this process. */
const FIRST = 'reelkit-first';

/** @param outcome gRPC's status in lower case, or `held`: its turn did not come before its deadline */
export type CountCall = (method: string, outcome: string) => void;

/** Before all others that wait in this process: a recording starts, or the fleet decides for all. */
export function first<T>(client: Client, call: () => Promise<T>): Promise<T> {
  return client.withMetadata({ [FIRST]: '1' }, call);
}

export function limitVisibility(limit: VisibilityLimit, count: CountCall, now: () => number = Date.now): Interceptor {
  return (options, nextCall) => {
    const method = METHODS[options.method_definition.path.split('/').at(-1) ?? ''];
    if (method === undefined) return new InterceptingCall(nextCall(options));
    let giveUp = () => {};
    return new InterceptingCall(nextCall(options), {
      start(metadata, listener, next) {
        const sent = metadata.clone();
        sent.remove(FIRST);
        const leave = limit.enter({
          untilMs: Math.min(Number(options.deadline ?? Number.POSITIVE_INFINITY), now() + LONGEST_MS),
          comesFirst: metadata.get(FIRST).length > 0,
          go: () =>
            next(sent, {
              onReceiveStatus(received, pass) {
                count(method, (status[received.code] ?? 'unknown').toLowerCase());
                pass(received);
              },
            }),
          tooLate() {
            count(method, 'held');
            end(listener, status.DEADLINE_EXCEEDED, 'too many calls to visibility wait in this process');
          },
        });
        giveUp = () => {
          if (leave()) end(listener, status.CANCELLED, 'cancelled before it was sent');
        };
      },
      cancel(next) {
        giveUp();
        next();
      },
    });
  };
}

/** As gRPC ends a call that has no answer. */
function end(listener: InterceptingListener, code: status, details: string): void {
  listener.onReceiveMessage(null);
  listener.onReceiveStatus({ code, details, metadata: new Metadata() });
}
