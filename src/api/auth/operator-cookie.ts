// An operator's access token in a cookie: for browsers that ask on behalf of another page, Temporal's Web UI, which can send
// cookies and no header of ours. It reaches the paths of the codec alone and is out of reach of scripts. Pure.
const NAME = 'reelkit-operator';
const PATH = '/codec';
/** The token's own expiry counts as well. */
const MAX_AGE_SECONDS = 12 * 3_600;
const TOKEN = /^[A-Za-z0-9._-]{1,3800}$/;

/** @returns the value of an Authorization header, or undefined without the cookie */
export function authorizationOf(cookies: string | undefined): string | undefined {
  const given = (cookies ?? '').split(/; */).find((cookie) => cookie.startsWith(`${NAME}=`));
  return given === undefined ? undefined : `Bearer ${given.slice(NAME.length + 1)}`;
}

/**
 * Browsers send a cookie to another site only when it is Secure; on plain http the Web UI must be of the same site, that is, of
 * the same host with any port.
 * @returns undefined for a token that fits no cookie
 */
export function operatorCookie(authorization: string | undefined, isHttps: boolean): string | undefined {
  const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
  if (token === undefined || !TOKEN.test(token)) return undefined;
  const reach = isHttps ? 'SameSite=None; Secure' : 'SameSite=Strict';
  return `${NAME}=${token}; Path=${PATH}; Max-Age=${MAX_AGE_SECONDS}; HttpOnly; ${reach}`;
}
