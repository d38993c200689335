// Secrets of a request, replaced as LiveKit's workers replace them before they answer (livekit/protocol egress/redact.go), and those
// that workers forget: proxies, passwords in URLs. Pure: works on a copy.
import type { AliOSSUpload, AzureBlobUpload, GCPUpload, ProxyConfig, S3Upload } from '@livekit/protocol';
import type { RecordingSource } from '../../recording/request.ts';
import { STORAGE_SECRETS } from '../../recording/request-storage.ts';
import { dropNewer } from './newer.ts';
import { allOutputs, type Upload, uploadsOf } from './outputs.ts';
import type { StartRequestOneof } from './rpc.ts';

/** LiveKit sends webhooks by what stands in the record. */
const KEPT_WHOLE = ['livekit.WebhookConfig'];

/**
 * The request as LiveKit's record may show it.
 * @param hidesPages also what addresses of pages and templates hold. LiveKit itself shows them whole, and so does Reelkit to who asked LiveKit
 */
export function redactRequest(request: StartRequestOneof, hidesPages = false): StartRequestOneof {
  if (request.case === undefined) return request;
  const copy = { ...request, value: request.value.clone() } as Exclude<StartRequestOneof, { case: undefined }>;
  dropNewer(copy.value, KEPT_WHOLE);
  for (const upload of uploadsOf(copy)) redactUpload(upload);
  for (const stream of allOutputs(copy).streams) stream.urls = stream.urls.map(redactUrl);
  if (copy.case === 'track' && copy.value.output.case === 'websocketUrl')
    copy.value.output.value = redactUrl(copy.value.output.value);
  if (hidesPages) redactPages(copy);
  return copy;
}

function redactPages(request: Exclude<StartRequestOneof, { case: undefined }>): void {
  const hide = <K extends string>(key: K, value: { [key in K]: string }) => {
    if (value[key]) value[key] = redactUrl(value[key]) as (typeof value)[K];
  };
  if (request.case === 'web') hide('url', request.value);
  else if (request.case === 'roomComposite') hide('customBaseUrl', request.value);
  else if (request.case === 'egress' || request.case === 'replay') {
    const { source } = request.value;
    if (source.case === 'web') hide('url', source.value);
    else if (source.case === 'template') hide('customBaseUrl', source.value);
  }
}

/** As views show it. The worker gets what stands in the request itself. */
export function withoutUrlSecrets(source: RecordingSource): RecordingSource {
  if (source.type === 'web') return { ...source, url: redactUrl(source.url) };
  if (source.type !== 'room' || source.customBaseUrl === undefined) return source;
  return { ...source, customBaseUrl: redactUrl(source.customBaseUrl) };
}

function redactUpload(upload: Upload): void {
  const fields = upload as Partial<Record<keyof typeof STORAGE_SECRETS, string>> & Upload;
  for (const [name, shown] of Object.entries(STORAGE_SECRETS) as [keyof typeof STORAGE_SECRETS, string][])
    if (fields[name]) fields[name] = shown;
  const { proxy } = upload as S3Upload & GCPUpload & AzureBlobUpload & AliOSSUpload;
  if (proxy) redactProxy(proxy);
}

function redactProxy(proxy: ProxyConfig): void {
  if (proxy.username) proxy.username = '{username}';
  if (proxy.password) proxy.password = '{password}';
  if (proxy.url) proxy.url = redactUrl(proxy.url);
}

const HIDDEN = '{...}';

/**
 * The stream key of an RTMP URL becomes `{abc...xyz}`; of other URLs every value in the query is hidden, of all of them who logs in.
 * What it has made, it leaves as it is.
 * @param url as a client gave it; what is no URL, or of a kind unknown, is hidden whole
 */
export function redactUrl(url: string): string {
  const [, scheme = '', rest = ''] = /^([a-z][a-z0-9+.-]*:\/\/)(.*)$/is.exec(url) ?? [];
  if (!scheme || !URL.canParse(url)) return '{url}';
  if (/^(mux|twitch):/i.test(scheme)) return scheme + redactKey(rest);
  if (/^rtmps?:/i.test(scheme)) return scheme + withoutLogin(withoutStreamKey(rest));
  return scheme + (/^(srt|wss?|https?):/i.test(scheme) ? withoutLogin(withoutQuery(rest)) : HIDDEN);
}

/** A worker's texts quote URLs as they were given to it. */
export function redactText(text: string): string {
  return text.replaceAll(/\b(?:https?|rtmps?|srt|wss?|mux|twitch):\/\/[^\s"']+/gi, (url) => {
    const end = /[:,.;)]*$/.exec(url)?.index ?? url.length;
    return redactUrl(url.slice(0, end)) + url.slice(end);
  });
}

/** The key is what follows the last slash of the path, with its query; only ` live=1` may stand behind it. */
function withoutStreamKey(rest: string): string {
  const suffix = rest.endsWith(' live=1') ? ' live=1' : '';
  const text = rest.slice(0, rest.length - suffix.length);
  const path = text.split(/[?#\s]/, 1)[0] ?? '';
  const keyAt = path.lastIndexOf('/') + 1;
  if (keyAt === 0) return path === text ? text : path + HIDDEN;
  return text.slice(0, keyAt) + redactKey(text.slice(keyAt)) + suffix;
}

function withoutQuery(rest: string): string {
  const [, path = '', query, fragment] = /^([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s.exec(rest) ?? [];
  const values = query
    ?.split('&')
    .map((pair) => (pair.includes('=') ? `${pair.slice(0, pair.indexOf('='))}=${HIDDEN}` : pair && HIDDEN));
  return path + (values ? `?${values.join('&')}` : '') + (fragment ? `#${HIDDEN}` : '');
}

function withoutLogin(rest: string): string {
  const end = /[/?#]/.exec(rest)?.index ?? rest.length;
  const at = rest.lastIndexOf('@', end);
  return at < 0 ? rest : `${HIDDEN}@${rest.slice(at + 1)}`;
}

/** As livekit/protocol's utils.RedactIdentifier: three characters at each end, fewer of a short one. */
function redactKey(key: string): string {
  if (/^\{(.{0,3})\.\.\.(.{0,3})\}$/s.test(key)) return key;
  const shown = [3, 2, 1].find((count) => key.length >= count * 3) ?? 0;
  return `{${key.slice(0, shown)}...${key.slice(key.length - shown)}}`;
}
