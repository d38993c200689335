// Who may call: LiveKit access tokens, signed with the key pair the LiveKit server knows, carrying the roomRecord grant.
// Only HS256 with the configured key is ever accepted; every way to fail says what to do, none says anything of the secret.
import { TokenVerifier } from 'livekit-server-sdk';
import { errors } from '../errors.ts';

export interface Caller {
  /** Whose token it is; rules tell applications apart by it. */
  apiKey: string;
  /** `sub` of the token, for the record of who cancelled. */
  identity?: string;
  /** A token with a room grant sees and records this room only. */
  onlyRoom?: string;
  /** What was opened with the token ends then, unix ms. */
  expiresAtMs: number;
}

/** Who is counted as one: an application gives each of its users a token with an identity of its own. */
export function callerKey({ apiKey, identity = '', onlyRoom = '' }: Caller): string {
  return JSON.stringify([apiKey, identity, onlyRoom]);
}

export type Authenticate = (authorization: string | undefined) => Promise<Caller>;

/** Clocks of client and server may differ this much. */
const CLOCK_TOLERANCE_SECONDS = 10;
const MAX_TOKEN_LENGTH = 8_192;

export interface KeyPair {
  apiKey: string;
  apiSecret: string;
}

export function createAuthenticate(keys: readonly KeyPair[]): Authenticate {
  const verifiers = new Map(keys.map(({ apiKey, apiSecret }) => [apiKey, new TokenVerifier(apiKey, apiSecret)]));
  return async (authorization) => {
    const token = bearerToken(authorization);
    requireHs256(token);
    const apiKey = issuerOf(token);
    const verifier = verifiers.get(apiKey);
    if (!verifier) throw errors.unauthenticated(OTHER_KEY);
    const claims = await verifier.verify(token, CLOCK_TOLERANCE_SECONDS).catch((cause: unknown) => {
      throw errors.unauthenticated(explain(cause), cause);
    });
    if (claims.video?.roomRecord !== true) {
      throw errors.forbidden('The access token lacks the roomRecord grant. `reelkit token` prints one that has it.');
    }
    return {
      apiKey,
      ...(claims.sub ? { identity: claims.sub } : {}),
      ...(claims.video.room ? { onlyRoom: claims.video.room } : {}),
      expiresAtMs: (claims.exp ?? 0) * 1_000,
    };
  };
}

function bearerToken(authorization: string | undefined): string {
  if (!authorization) {
    throw errors.unauthenticated(
      'Send a LiveKit access token as "Authorization: Bearer <token>"; `reelkit token` prints one.',
    );
  }
  const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
  if (!token || token.length > MAX_TOKEN_LENGTH) {
    throw errors.unauthenticated('The Authorization header is not of the form "Bearer <token>".');
  }
  return token;
}

/** Before any verification: `alg: none` and every algorithm LiveKit does not use are refused by name. */
function requireHs256(token: string): void {
  let header: unknown;
  try {
    header = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString('utf8'));
  } catch (cause) {
    throw errors.unauthenticated('The access token is not a JSON Web Token.', cause);
  }
  if ((header as { alg?: unknown } | null)?.alg !== 'HS256') {
    throw errors.unauthenticated('The access token is not signed with HS256, as LiveKit access tokens are.');
  }
}

const OTHER_KEY = 'The access token was issued by another API key than the configured LiveKit API key.';

/** Only to choose the key: nothing is believed before the signature is checked. */
function issuerOf(token: string): string {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
    return String((claims as { iss?: unknown } | null)?.iss);
  } catch (cause) {
    throw errors.unauthenticated('The access token is not a JSON Web Token.', cause);
  }
}

/** jose names its failures by `code` and the claim that failed. */
function explain(cause: unknown): string {
  const { code, claim } = cause as { code?: string; claim?: string };
  if (code === 'ERR_JWT_EXPIRED')
    return 'The access token has expired. Make a new one, for example with `reelkit token`.';
  if (code === 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED')
    return 'The access token is signed with another secret than the configured LiveKit API secret.';
  if (claim === 'nbf') return 'The access token is not valid yet. Check the clocks.';
  if (claim === 'exp') return 'The access token carries no expiry.';
  return 'The access token is not valid.';
}
