// What AWS's refusals mean: who must act, and how. By their codes (facts of botocore's service models), never by their words. Pure.
import { messageOf } from '../../common/error-message.ts';
import { CapacityError, type CapacityErrorKind } from '../provider.ts';

const RETRYABLE = new Set([
  'IdempotentCallInProgress',
  'InternalError',
  'InternalFailure',
  'RequestLimitExceeded',
  'ResourceContention',
  'ScalingActivityInProgress',
  'ServerException',
  'ServiceUnavailable',
  'Throttling',
  'ThrottlingException',
  'TimeoutError',
  'Unavailable',
]);

const NO_CAPACITY = new Set([
  'InsufficientCapacity',
  'InsufficientFreeAddressesInSubnet',
  'InsufficientHostCapacity',
  'InsufficientInstanceCapacity',
  'InstanceLimitExceeded',
  'LimitExceeded',
  'LimitExceededException',
  'MaxSpotInstanceCountExceeded',
  'SpotMaxPriceTooLow',
  'VcpuLimitExceeded',
]);

const DENIED = new Set([
  'AccessDenied',
  'AccessDeniedException',
  'UnauthorizedOperation',
  'Client.UnauthorizedOperation',
]);

const CREDENTIALS = new Set([
  'AuthFailure',
  'CredentialsProviderError',
  'ExpiredToken',
  'ExpiredTokenException',
  'InvalidClientTokenId',
  'InvalidSignatureException',
  'SignatureDoesNotMatch',
  'TokenRefreshRequired',
  'UnrecognizedClientException',
]);

/** A call, as policies name it: `ecs:RunTask`. */
export type Action = `${'ecs' | 'autoscaling' | 'ec2'}:${string}`;

interface AwsError {
  name?: string;
  code?: string;
  $metadata?: { httpStatusCode?: number };
}

/** AWS's own word for it; without an answer, the system's. */
export function codeOf(error: unknown): string {
  const { name, code } = (error ?? {}) as AwsError;
  return name && name !== 'Error' ? name : (code ?? 'Error');
}

/** @param doing what was tried, as in "launch workers" */
export function toCapacityError(error: unknown, action: Action, doing: string): CapacityError {
  if (error instanceof CapacityError) return error;
  const code = wrappedCode(error) ?? codeOf(error);
  const kind = kindOf(code, (error as AwsError)?.$metadata?.httpStatusCode);
  const message = `could not ${doing}: ${action} answered ${code}: ${messageOf(error)}${remedyFor(code, action)}`;
  return new CapacityError(kind, message, { code, cause: error });
}

/** Of an error inside an answer. */
export function kindOfCode(code: string): CapacityErrorKind {
  return kindOf(code, 400);
}

function kindOf(code: string, status: number | undefined): CapacityErrorKind {
  const plain = code.replace(/Fault$/, '');
  if (RETRYABLE.has(plain)) return 'retryable';
  if (NO_CAPACITY.has(plain)) return 'no_capacity';
  if (DENIED.has(plain) || CREDENTIALS.has(plain)) return 'configuration';
  // No answer at all passes by itself.
  return status === undefined || status >= 500 ? 'retryable' : 'configuration';
}

/** The code that EC2 gave to ECS: `InvalidParameterException` holds it, as in `(ErrorCode: RequestLimitExceeded)`. */
function wrappedCode(error: unknown): string | undefined {
  return /ErrorCode: (\w+)/.exec(messageOf(error))?.[1];
}

function remedyFor(code: string, action: Action): string {
  if (DENIED.has(code)) return `. Allow ${action} in the policy of Reelkit's role (docs/aws.md, "Permissions")`;
  if (CREDENTIALS.has(code))
    return ". Give Reelkit credentials: a role for its task or instance, or the variables of AWS's SDK";
  return '';
}
