// What one StartEgress call meant. One pure function over what came back; every row of LiveKit's error matrix is a table test.

/** What came back from StartEgress, or did not. */
export type StartReply =
  | { kind: 'accepted'; egressId: string; atMs: number }
  | { kind: 'error'; httpStatus: number; twirpCode?: string; message: string }
  | { kind: 'timeout' }
  | { kind: 'network'; message: string };

export type StartOutcome =
  | { kind: 'started'; egressId: string; acceptedAtMs: number }
  /** No worker was free; nothing was sent, or LiveKit said so. `sent`: an egress may still appear. */
  | { kind: 'no_capacity'; sent: boolean; message: string }
  | { kind: 'room_missing'; message: string }
  /** LiveKit will never accept this request. */
  | { kind: 'refused'; message: string }
  /** An egress may or may not be running: find it before another call. */
  | { kind: 'ambiguous'; message: string };

export function classifyStart(reply: StartReply): StartOutcome {
  switch (reply.kind) {
    case 'accepted':
      return { kind: 'started', egressId: reply.egressId, acceptedAtMs: reply.atMs };
    case 'timeout':
      return { kind: 'ambiguous', message: 'no answer from LiveKit in time' };
    case 'network':
      return { kind: 'ambiguous', message: `LiveKit could not be reached: ${reply.message}` };
    case 'error':
      return classifyError(reply);
  }
}

function classifyError(reply: { httpStatus: number; twirpCode?: string; message: string }): StartOutcome {
  const message = `LiveKit answered ${reply.httpStatus} ${reply.twirpCode ?? 'without a code'}: ${reply.message}`;
  // Only these are decided before a worker is asked, or by a worker that then keeps nothing. A proxy's bare status is not proof.
  switch (reply.twirpCode) {
    case 'invalid_argument':
    case 'malformed':
    case 'unauthenticated':
    case 'permission_denied':
    // A LiveKit that does not know the call, or a URL that leads elsewhere.
    case 'bad_route':
    case 'unimplemented':
      return { kind: 'refused', message };
    case 'not_found':
      return reply.message.includes('room') ? { kind: 'room_missing', message } : { kind: 'refused', message };
    case 'unavailable':
      // A final 503 is no proof: an earlier internal try may have been claimed. So `sent` stays true.
      return { kind: 'no_capacity', sent: true, message };
    case undefined:
      // LiveKit checks the signature of a token before Twirp sees the call, and answers in plain text.
      if (reply.httpStatus !== 401) return { kind: 'ambiguous', message };
      return { kind: 'refused', message: `${message}; check the API key and secret for LiveKit` };
    default:
      return { kind: 'ambiguous', message };
  }
}
