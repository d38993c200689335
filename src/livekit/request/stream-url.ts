// URLs of streams as workers read them: livekit/egress pkg/config/urls.go. Pure.
import type { StreamFormat } from './codecs.ts';
import { invalidField, invalidUrl } from './refused.ts';

const FORMAT_OF: Record<string, StreamFormat> = {
  rtmp: 'rtmp',
  rtmps: 'rtmp',
  mux: 'rtmp',
  twitch: 'rtmp',
  srt: 'srt',
  ws: 'audio/x-raw',
  wss: 'audio/x-raw',
};
const RTMP_FORM = 'rtmp urls must be of format rtmp(s)://{host}(/{path})/{app}/{stream_key}( live=1)';
const MUX = 'rtmps://global-live.mux.com:443/app/';
const TWITCH = '.contribute.live-video.net/app/';

/** @throws Refused when there is no URL to tell from, or none that a worker knows */
export function formatOfStream(urls: readonly string[]): StreamFormat {
  const [first] = urls;
  if (first === undefined) throw invalidField('stream protocol');
  const format = formatOfUrl(first);
  if (!format) throw invalidUrl(first, 'invalid protocol');
  return format;
}

/** @throws Refused */
export function checkStreamUrl(url: string, format: StreamFormat): void {
  if (formatOfUrl(url) !== format) throw invalidUrl(url, 'invalid scheme');
  if (format === 'rtmp' && !isRtmp(asWorkerSends(url))) throw invalidUrl(url, RTMP_FORM);
}

/** As the worker sends to it, and names it in its record. Which of Twitch's servers it takes, the worker asks Twitch. */
export function asWorkerSends(url: string): string {
  const [, scheme, key] = /^(mux|twitch):\/\/([^/?#]*)/i.exec(url) ?? [];
  if (scheme?.toLowerCase() === 'mux') return `${MUX}${key}`;
  return scheme ? `rtmps://ingest.contribute.live-video.net/app/${key}` : url;
}

/** Two spellings of one stream. */
export function isSameStream(one: string, other: string): boolean {
  const [a, b] = [one, other].map((url) => {
    const sent = asWorkerSends(url);
    const at = /^rtmps?:/.test(sent) ? sent.indexOf(TWITCH) : -1;
    return at < 0 ? sent : `twitch://${sent.slice(at + TWITCH.length)}`;
  });
  return a === b;
}

/** Host, application and key, divided by slashes; a blank may stand before the last word only. No regular expression: it would backtrack. */
function isRtmp(url: string): boolean {
  if (!/^rtmps?:\/\//.test(url) || url.includes('\n')) return false;
  const path = url
    .slice(url.indexOf('//') + 2)
    .replace(/ live=1$/, '')
    .split('/');
  return path.length > 2 && !/\s/.test(path.at(-1) ?? '');
}

function formatOfUrl(url: string): StreamFormat | undefined {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase() ?? '';
  return Object.hasOwn(FORMAT_OF, scheme) ? FORMAT_OF[scheme] : undefined;
}
