// Secrets of a request, replaced as LiveKit's workers replace them before they answer. Pure: works on a copy.
import type { AliOSSUpload, AzureBlobUpload, GCPUpload, S3Upload } from '@livekit/protocol';
import { allOutputs, type Upload, uploadsOf } from './outputs.ts';
import type { StartRequestOneof } from './rpc.ts';

/** The request as LiveKit's record may show it. */
export function redactRequest(request: StartRequestOneof): StartRequestOneof {
  const copy = { ...request, value: request.value?.clone() } as StartRequestOneof;
  for (const upload of uploadsOf(copy)) redactUpload(upload);
  for (const stream of allOutputs(copy).streams) stream.urls = stream.urls.map(redactUrl);
  if (copy.case === 'track' && copy.value.output.case === 'websocketUrl')
    copy.value.output.value = redactUrl(copy.value.output.value);
  return copy;
}

const UPLOAD_SECRETS = [
  'accessKey',
  'secret',
  'sessionToken',
  'assumeRoleExternalId',
  'credentials',
  'accountName',
  'accountKey',
] as const;

function redactUpload(upload: Upload): void {
  const fields = upload as Partial<Record<(typeof UPLOAD_SECRETS)[number], string>> & Upload;
  for (const name of UPLOAD_SECRETS) if (fields[name]) fields[name] = `{${snakeCase(name)}}`;
  const { proxy } = upload as S3Upload & GCPUpload & AzureBlobUpload & AliOSSUpload;
  if (proxy?.password) proxy.password = '{password}';
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/**
 * The stream key of an RTMP URL becomes `{abc...xyz}`, and every value in the query of another kind is hidden.
 * @param url as a client gave it; what is no URL is hidden whole
 */
export function redactUrl(url: string): string {
  if (!URL.canParse(url)) return '{url}';
  if (/^mux:|^twitch:/.test(url)) return url.replace(/^(\w+:\/\/)(.+)$/, (_, scheme, key) => `${scheme}${redactKey(key)}`);
  if (/^rtmps?:/.test(url)) return url.replace(/^(rtmps?:\/\/.*\/)([^/\s]+)(\s+live=1)?$/, (_, path, key) => path + redactKey(key));
  const parsed = new URL(url);
  if (parsed.password) parsed.password = 'hidden';
  for (const name of new Set(parsed.searchParams.keys())) parsed.searchParams.set(name, 'hidden');
  return parsed.toString();
}

/** As livekit/protocol's utils.RedactIdentifier: three characters at each end, fewer of a short one. */
function redactKey(key: string): string {
  const shown = [3, 2, 1].find((count) => key.length >= count * 3) ?? 0;
  return `{${key.slice(0, shown)}...${key.slice(key.length - shown)}}`;
}
