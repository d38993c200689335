// The one error of the bus: psrpc's codes, with words for people. Nothing decides by the words.

/** livekit/psrpc errors.go; a peer may send others. */
export type RpcErrorCode =
  | 'canceled'
  | 'unknown'
  | 'invalid_argument'
  | 'malformed_request'
  | 'malformed_result'
  | 'deadline_exceeded'
  | 'not_found'
  | 'not_acceptable'
  | 'already_exists'
  | 'permission_denied'
  | 'resource_exhausted'
  | 'failed_precondition'
  | 'aborted'
  | 'out_of_range'
  | 'unimplemented'
  | 'internal'
  | 'unavailable'
  | 'data_loss'
  | 'unauthenticated'
  | 'unprocessable_entity'
  | 'upstream_server_error'
  | 'upstream_client_error'
  | (string & {});

export class RpcError extends Error {
  override readonly name = 'RpcError';
  readonly code: RpcErrorCode;
  /** @param message reaches the caller as it is: it holds no secret */
  constructor(code: RpcErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
