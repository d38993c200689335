// UpdateStream for a request that no worker has yet: the same answers as a worker's, in its words. Pure.
import { effectiveOutputs } from './outputs.ts';
import { redactUrl } from './redact.ts';
import { MAX_REQUEST_BYTES } from './refusal.ts';
import { Refused } from './refused.ts';
import type { StartMessage } from './rpc.ts';
import { checkStreamUrl, formatOfStream, isSameStream } from './stream-url.ts';

export type StreamUrls =
  /** `isEmpty`: no output is left; a worker that runs ends, one that is asked to start with this refuses. */
  | { kind: 'changed'; message: StartMessage; isEmpty: boolean }
  | { kind: 'refused'; code: 'invalid_argument' | 'not_found'; message: string };

interface Problem {
  code: 'invalid_argument' | 'not_found';
  message: string;
}

/**
 * Adds first, then removes; a URL that is there already is not added twice. Unlike a worker, which has begun when it finds a mistake,
 * this does all of it or nothing.
 */
export function streamUrlsChanged(
  message: StartMessage,
  add: readonly string[],
  remove: readonly string[],
): StreamUrls {
  const copy = message.clone();
  const output = effectiveOutputs(copy.request).streams[0];
  if (!output || output.urls.some((url) => /^wss?:/i.test(url)))
    return refused([{ code: 'invalid_argument', message: 'UpdateStream called on non-streaming egress' }]);
  const problems = add.flatMap((url) => problemOf(url, output.urls[0]));
  const urls = [...output.urls];
  for (const url of add) if (!urls.some((one) => isSameStream(one, url))) urls.push(url);
  const gone = remove.filter((url) => !urls.some((one) => isSameStream(one, url)));
  problems.push(...gone.map((url): Problem => ({ code: 'not_found', message: `stream ${redactUrl(url)} not found` })));
  output.urls = urls.filter((url) => !remove.some((one) => isSameStream(one, url)));
  if (copy.toBinary().length > MAX_REQUEST_BYTES) problems.push(TOO_LARGE);
  if (problems.length > 0) return refused(problems);
  return { kind: 'changed', message: copy, isEmpty: output.urls.length === 0 && isAlone(copy) };
}

/** No history takes an endless request. */
const TOO_LARGE: Problem = {
  code: 'invalid_argument',
  message: `with these streams the request is larger than ${MAX_REQUEST_BYTES} bytes; remove some first`,
};

/** All of an output's URLs are of one protocol. */
function problemOf(url: string, first = url): Problem[] {
  try {
    checkStreamUrl(url, formatOfStream([first]));
    return [];
  } catch (error) {
    if (error instanceof Refused) return [error];
    throw error;
  }
}

function isAlone(message: StartMessage): boolean {
  const { files, segments, images } = effectiveOutputs(message.request);
  return files.length + segments.length + images.length === 0;
}

/** The code of the first, the texts of all. */
function refused(problems: readonly Problem[]): StreamUrls {
  const code = problems[0]?.code ?? 'invalid_argument';
  return { kind: 'refused', code, message: problems.map(({ message }) => message).join('\n') };
}
