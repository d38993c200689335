// What to do about a bucket that refuses, by the server's codes and the configuration's keys. Pure.
import type { Refusal, Trial } from './s3.ts';

export type Step = 'locate' | 'write' | 'read' | 'delete';

const RIGHTS: Record<Step, string> = {
  locate: 's3:GetBucketLocation',
  write: 's3:PutObject',
  read: 's3:GetObject',
  delete: 's3:DeleteObject',
};

/** @param at the storage's place in the configuration, `storages.<name>` */
export function remedyOf(step: Step, { key, refusal, at }: { key: string; refusal: Refusal; at: string }): string {
  const { status, code = '', region } = refusal;
  if (status === undefined) return unreached(code, at);
  const said = `the server answered ${status}${code ? ` ${code}` : ''}`;
  return `${said}: ${byCode(code, region, at) ?? byStatus(step, status, { key, region, at })}`;
}

function byCode(code: string, region: string | undefined, at: string): string | undefined {
  switch (code) {
    case 'InvalidAccessKeyId':
      return `it does not know the key in ${at}.accessKey`;
    case 'SignatureDoesNotMatch':
      return `${at}.secret does not belong to ${at}.accessKey`;
    case 'InvalidToken':
    case 'ExpiredToken':
    case 'TokenRefreshRequired':
      return `${at}.sessionToken is wrong or has expired; temporary keys need a new one with a new accessKey and secret`;
    case 'NoSuchBucket':
    case 'InvalidBucketName':
      return `there is no bucket as in ${at}.bucket: create it, or write its name as it is`;
    case 'RequestTimeTooSkewed':
    case 'RequestExpired':
      return "this machine's clock and the server's are too far apart: set the clock (NTP), on the workers as well";
    case 'AuthorizationHeaderMalformed':
    case 'PermanentRedirect':
    case 'TemporaryRedirect':
    case 'IncorrectEndpoint':
    case 'IllegalLocationConstraintException':
      return wrongRegion(region, at);
    default:
      return undefined;
  }
}

function byStatus(
  step: Step,
  status: number,
  { key, region, at }: { key: string; region: string | undefined; at: string },
): string {
  if (status === 401 || status === 403) {
    const instead = step === 'locate' ? `, or say the region in ${at}.region` : '';
    const where = step === 'locate' ? 'the bucket' : `"${key}"`;
    return `the key in ${at}.accessKey may not ${step} ${where}: give it the right ${RIGHTS[step]}${instead}`;
  }
  if (status >= 500 || status === 429) return `it has a problem of its own: try again, and see its log`;
  if (status >= 300 && status < 400) return wrongRegion(region, at);
  return `is ${at}.endpoint the URL of its S3 interface, and does it want ${at}.forcePathStyle?`;
}

function wrongRegion(region: string | undefined, at: string): string {
  return region
    ? `the bucket is in "${region}": write that in ${at}.region`
    : `${at}.region, or ${at}.endpoint, is not the bucket's`;
}

const TLS = /^(CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|EPROTO$)/;
const ELSEWHERE = 'Workers may have another network than this machine';

function unreached(code: string, at: string): string {
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return `its host is not known here (${code}): check ${at}.endpoint and ${at}.region; a server without a host for each bucket wants ${at}.forcePathStyle. ${ELSEWHERE}`;
  if (code === 'timeout' || code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT')
    return `no answer in time: check ${at}.endpoint, and the network and its rules. ${ELSEWHERE}`;
  if (TLS.test(code))
    return `no TLS with it (${code}): ${at}.endpoint needs a certificate for its name that this machine and the workers trust, or http:// if the server has no TLS`;
  if (code === 'unusable')
    return `no request can be made of the configuration: ${at}.accessKey, ${at}.secret and ${at}.sessionToken must be without spaces and line breaks, ${at}.endpoint without user and password`;
  return `it cannot be reached (${code}): check host, port and http or https of ${at}.endpoint, and that the server runs. ${ELSEWHERE}`;
}

/** Workers only write. That others may not be read or deleted is for whoever keeps the bucket to want. */
export function verdictOf(trial: Trial, at: string): { kind: 'passed' | 'warned' | 'failed'; detail: string } {
  const { key, locate, write, read, delete: unmade } = trial;
  const left = unmade ? `"${key}" ${write ? 'may be' : 'is'} left behind: delete it by hand` : undefined;
  const tell = (step: Step, refusal: Refusal) => remedyOf(step, { key, refusal, at });
  const broken = locate ? tell('locate', locate) : write ? tell('write', write) : undefined;
  if (broken) return { kind: 'failed', detail: [broken, left ?? []].flat().join('. ') };
  if (read === 'other') {
    const strange = `what was read is not what was written to "${key}": is ${at}.endpoint the URL of its S3 interface?`;
    return { kind: 'failed', detail: [strange, left ?? []].flat().join(' ') };
  }
  const problems = [
    ...(read ? [`not read: ${tell('read', read)}`] : []),
    ...(unmade ? [`not deleted: ${tell('delete', unmade)}. ${left}`] : []),
  ];
  if (problems.length > 0) return { kind: 'warned', detail: `a test object was written; ${problems.join('; ')}` };
  return { kind: 'passed', detail: 'a test object was written, read and deleted' };
}
