// What one dispatch to a worker meant. A pure function over what came back on the bus; each row is a table test.

/** The reply to StartEgress on a worker's own topic, or what is known without one. */
export type DispatchReply =
  | { kind: 'accepted'; atMs: number }
  /** No worker claimed it in time, or the request never left: without a grant no worker starts anything. */
  | { kind: 'not_granted'; message: string }
  /** A worker that was granted the start said no. */
  | { kind: 'error'; code: string; message: string }
  /** It was granted, and nobody knows more. */
  | { kind: 'no_answer'; message: string };

/** The worker an attempt runs on. */
export interface AssignedWorker {
  id: string;
  topic: string;
}

/** `operator`: it does not pass by itself. LiveKit does not accept Reelkit's key, or is not at the address that is configured. */
export type NeededHand = 'operator';

export interface QueuePlace {
  /** From 1. */
  position: number;
  /** By then there should be a worker for it, by the boots seen and the ends known, unix ms. Absent: nobody knows. */
  expectedAtMs?: number;
}

export type StartOutcome =
  /** Without a worker it showed by its reports, because the answer was lost. */
  | { kind: 'started'; egressId: string; acceptedAtMs: number; worker?: AssignedWorker; roomId?: string }
  /** Nobody was asked, or nobody took it: nothing can run, and the attempt may be made again under the same id. */
  | {
      kind: 'no_capacity';
      message: string;
      /** Its room's sid; absent when nobody could look, so that the room may not exist either. */
      roomId?: string;
      needs?: NeededHand;
      /** As the last pass of its fleet saw it; absent when nobody knows. */
      place?: QueuePlace;
    }
  | { kind: 'room_missing'; message: string }
  /** No worker will ever accept this request. `errorCode` as in EgressInfo. */
  | { kind: 'refused'; errorCode: number; message: string }
  /** A worker was granted the start and said no: its id is used up, the next attempt goes elsewhere. */
  | { kind: 'declined'; egressId: string; message: string }
  /** An egress may run under this id: it has no grant any more and is stopped wherever it shows. */
  | { kind: 'unknown'; egressId: string; message: string; roomUnseen?: true };

/** psrpc's codes as EgressInfo tells them (livekit/psrpc errors.go). */
const HTTP_OF: Readonly<Record<string, number>> = {
  invalid_argument: 400,
  malformed_request: 400,
  malformed: 400,
  out_of_range: 400,
  unauthenticated: 401,
  permission_denied: 403,
  not_found: 404,
  already_exists: 409,
  aborted: 409,
  failed_precondition: 412,
  resource_exhausted: 429,
  internal: 500,
  unavailable: 503,
  canceled: 503,
  deadline_exceeded: 503,
};

/** Said of the request itself, so that every worker would say it. */
const FINAL = new Set([
  'invalid_argument',
  'malformed_request',
  'permission_denied',
  'not_found',
  'failed_precondition',
  'unimplemented',
]);

export function httpStatusOf(code: string): number {
  return Object.hasOwn(HTTP_OF, code) ? (HTTP_OF[code] ?? 0) : 0;
}

export function classifyStart(
  reply: DispatchReply,
  { egressId, worker, roomId }: { egressId: string; worker: AssignedWorker; roomId?: string },
): StartOutcome {
  switch (reply.kind) {
    case 'accepted':
      return { kind: 'started', egressId, acceptedAtMs: reply.atMs, worker, ...(roomId ? { roomId } : {}) };
    case 'not_granted':
      return { kind: 'no_capacity', message: `${worker.id}: ${reply.message}` };
    case 'no_answer':
      return {
        kind: 'unknown',
        egressId,
        message: `${worker.id} was granted the start and did not answer: ${reply.message}`,
      };
    case 'error':
      return classifyError(reply, egressId, worker);
  }
}

function classifyError(
  { code, message }: { code: string; message: string },
  egressId: string,
  worker: AssignedWorker,
): StartOutcome {
  const said = `${worker.id} answered ${code}: ${message}`;
  if (FINAL.has(code)) return { kind: 'refused', errorCode: httpStatusOf(code), message: said };
  // It runs there already: an earlier dispatch of this very attempt got through.
  if (code === 'already_exists' || code === 'deadline_exceeded') return { kind: 'unknown', egressId, message: said };
  return { kind: 'declined', egressId, message: said };
}
