// Failures as Temporal stores them: message and stack go into a payload, so that the codec encrypts them as well. Part of the
// workflow bundle, and loaded by path outside of it. What stays in clear is a failure's type.
import { DefaultFailureConverter } from '@temporalio/common';

export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
