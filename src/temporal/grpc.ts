// What gRPC said of a failed call to Temporal. The client wraps its errors in its own, once or twice.
import { isGrpcServiceError } from '@temporalio/client';

export function grpcCode(error: unknown): number | undefined {
  for (const inner of causes(error)) {
    if (isGrpcServiceError(inner)) return inner.code;
    if ('code' in inner && typeof inner.code === 'number') return inner.code;
  }
  return undefined;
}

/** The error itself, and what it is wrapped around. */
export function causes(error: unknown): Error[] {
  return error instanceof Error ? [error, ...causes(error.cause)] : [];
}
