// What the API server's refusals mean: who must act, and how. Pure.
import { ApiException } from '@kubernetes/client-node';
import { messageOf } from '../../common/error-message.ts';
import { CapacityError, type CapacityErrorKind } from '../provider.ts';

interface Status {
  message?: string;
  reason?: string;
  details?: { retryAfterSeconds?: number; kind?: string; name?: string };
}

const NO_CAPACITY = /exceeded quota|forbidden: (maximum|insufficient)/i;

/** @param doing what was tried, as in "create pods in namespace reelkit" */
export function toCapacityError(error: unknown, doing: string): CapacityError {
  if (error instanceof CapacityError) return error;
  if (isRefusal(error) && !(error instanceof ApiException))
    return new CapacityError(
      'configuration',
      `could not ${doing}: ${messageOf(error)}${remedyFor(error.statusCode, {})}`,
      { cause: error },
    );
  if (!(error instanceof ApiException)) {
    return new CapacityError(
      'retryable',
      `could not ${doing}: the API server cannot be reached (${messageOf(error)})`,
      {
        cause: error,
      },
    );
  }
  const status = statusOf(error);
  const message = status.message ?? `HTTP ${error.code}`;
  const retryAfterMs =
    status.details?.retryAfterSeconds === undefined ? undefined : status.details.retryAfterSeconds * 1_000;
  return new CapacityError(
    kindOf(error.code, message),
    `could not ${doing}: ${message}${remedyFor(error.code, status)}`,
    {
      code: status.reason,
      cause: error,
      retryAfterMs,
    },
  );
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiException && error.code === 404;
}

/** Not every 409: a quota that was counted twice at the same moment is one, too. */
export function isAlreadyThere(error: unknown): boolean {
  return error instanceof ApiException && error.code === 409 && statusOf(error).reason === 'AlreadyExists';
}

/** It is not the object it was. */
export function isAnother(error: unknown): boolean {
  return error instanceof ApiException && error.code === 409;
}

/** A watch says only how HTTP called it. */
export function isRefusal(error: unknown): error is Error & { statusCode: 401 | 403 } {
  const { statusCode } = (error ?? {}) as { statusCode?: unknown };
  return error instanceof Error && (statusCode === 401 || statusCode === 403);
}

function kindOf(code: number, message: string): CapacityErrorKind {
  if (code === 403) return NO_CAPACITY.test(message) ? 'no_capacity' : 'configuration';
  // 404: the namespace. 409 with another reason than AlreadyExists: it is being deleted, or a quota was counted twice.
  return code === 400 || code === 401 || code === 404 || code === 422 ? 'configuration' : 'retryable';
}

function remedyFor(code: number, { message = '', details }: Status): string {
  if (code === 401) return ': the credentials are not valid for this cluster; check the service account or kubeconfig';
  if (code === 404 && details?.kind === 'namespaces')
    return ': create the namespace, or correct fleet.capacity.namespace';
  if (code === 403 && NO_CAPACITY.test(message)) return ': raise the ResourceQuota, or lower fleet.maxWorkers';
  if (code === 403 && /cannot \w+ resource/.test(message))
    return ': give the service account this verb in a Role; docs/kubernetes.md lists what Reelkit needs';
  return '';
}

/** The client hands the body over as text, or parsed. */
function statusOf({ body }: ApiException<unknown>): Status {
  if (body !== null && typeof body === 'object') return body as Status;
  try {
    return JSON.parse(String(body)) as Status;
  } catch {
    return {};
  }
}
