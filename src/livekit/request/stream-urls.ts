// UpdateStream for a request that no worker has yet: the same answers as a worker's, in its words. Pure.
import { effectiveOutputs } from './outputs.ts';
import { redactUrl } from './redact.ts';
import type { StartMessage } from './rpc.ts';

export type StreamUrls =
  | { kind: 'changed'; message: StartMessage }
  | { kind: 'refused'; code: 'invalid_argument' | 'not_found'; message: string };

const SCHEME = /^(rtmps?|mux|twitch|srt):\/\/./;

/** Adds first, then removes; a URL that is there already is not added twice. */
export function streamUrlsChanged(message: StartMessage, add: readonly string[], remove: readonly string[]): StreamUrls {
  const copy = message.clone();
  const [output] = effectiveOutputs(copy.request).streams;
  if (!output || output.urls.some((url) => /^wss?:/.test(url)))
    return refused('invalid_argument', 'UpdateStream called on non-streaming egress');
  for (const url of add) {
    if (!SCHEME.test(url)) return refused('invalid_argument', `invalid url ${redactUrl(url)}: invalid scheme`);
    if (!output.urls.includes(url)) output.urls.push(url);
  }
  for (const url of remove) {
    if (!output.urls.includes(url)) return refused('not_found', `stream ${redactUrl(url)} not found`);
    output.urls = output.urls.filter((one) => one !== url);
  }
  return { kind: 'changed', message: copy };
}

function refused(code: 'invalid_argument' | 'not_found', message: string): StreamUrls {
  return { kind: 'refused', code, message };
}
