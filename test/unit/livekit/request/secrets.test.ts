// Secrets of a request: in nothing that is shown, replaced as LiveKit's workers replace them, and whole in what a worker is sent.
import { proto3 } from '@bufbuild/protobuf';
import { EgressInfo } from '@livekit/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { acceptedInfo, infoOf, reportOf } from '../../../../src/livekit/record.ts';
import {
  forAttempt,
  liftRequest,
  redactText,
  redactUrl,
  refusalOf,
  renderNames,
  type StartMessage,
  streamUrlsChanged,
} from '../../../../src/livekit/request/index.ts';
import { redactRequest } from '../../../../src/livekit/request/redact.ts';
import { type Kind, parts, requestOf, STREAM_URLS, start, type UPLOADS } from './requests.ts';

const bytesOf = (message: { toBinary(): Uint8Array }) => Buffer.from(message.toBinary()).toString('latin1');
const factsOf = (message: StartMessage, reports: string[] = []) => ({
  recordingId: message.egressId,
  wire: Buffer.from(message.toBinary()).toString('base64'),
  acceptedAtMs: 1,
  state: { status: 'ACTIVE' as const },
  reports,
  retries: 0,
  unlisted: false,
  told: 'STARTING' as const,
});

describe('a secret', () => {
  it('is in no record, view, report or refusal, whatever request it came in', () => {
    fc.assert(
      fc.property(parts, (request) => {
        const message = requestOf(request);
        const named = renderNames(message, { atMs: 0 });
        const worker = new EgressInfo({
          ...acceptedInfo(named, 1),
          request: { case: undefined },
          error: `invalid url rtmp://h/app/${request.secret}: invalid scheme`,
          streamResults: [
            { url: `srt://h:1?passphrase=${request.secret}`, error: `srt://h?streamid=${request.secret} failed` },
          ],
        });
        const report = reportOf(worker);
        const shown = [
          bytesOf(acceptedInfo(named, 1)),
          JSON.stringify(acceptedInfo(message, 1).toJson()),
          JSON.stringify(liftRequest(message)),
          JSON.stringify(report),
          Buffer.from(report.info ?? '', 'base64').toString('latin1'),
          bytesOf(infoOf(factsOf(named, [report.info ?? '']))),
          JSON.stringify(refusalOf(message) ?? {}),
          JSON.stringify(streamUrlsChanged(message, [`ftp://${request.secret}`], [`rtmp://x/y/${request.secret}`])),
        ];
        // A stream that a change leaves whole is for workers, not for eyes.
        expect(shown.slice(0, -1).filter((text) => text.includes(request.secret))).toEqual([]);
        if (!shown.at(-1)?.includes('"changed"')) expect(shown.at(-1)).not.toContain(request.secret);
      }),
      { numRuns: 300 },
    );
  });

  it('in the address of a page is hidden from LiveKit where LiveKit did not ask, and shown as LiveKit shows it where it did', () => {
    const web = start('web', { url: 'https://ada:hunter2@h/p?key=hunter2' });
    const template = start('roomComposite', { customBaseUrl: 'https://h/t?key=hunter2' });
    for (const message of [web, template]) {
      expect(bytesOf(infoOf({ ...factsOf(message), hidesPages: true }))).not.toContain('hunter2');
      expect(bytesOf(infoOf(factsOf(message)))).toContain('hunter2');
      expect(JSON.stringify(liftRequest(message))).not.toContain('hunter2');
    }
  });

  it('reaches the worker whole', () => {
    fc.assert(
      fc.property(parts, (request) => {
        const count = (message: StartMessage) => bytesOf(message).split(request.secret).length;
        const message = requestOf(request);
        redactRequest(message.request);
        const sent = forAttempt(renderNames(message, { atMs: 0 }), { egressId: 'EG_1', attempt: 1, token: '' });
        expect(count(sent)).toBe(count(message));
      }),
    );
  });

  it.each(Object.keys(STREAM_URLS) as (keyof typeof STREAM_URLS)[])('is in no %s URL that is shown', (kind) => {
    const key = fc.stringMatching(/^[A-Za-z0-9/?=&:#@. -]{12,60}$/);
    fc.assert(
      fc.property(key, fc.stringMatching(/^[A-Za-z0-9]{20}$/), (around, secret) => {
        // A parameter's name is shown.
        fc.pre(!around.includes(secret));
        const bare = STREAM_URLS[kind](secret);
        const strange = bare.map((url) => url.replace(secret, () => `${secret}?${around}=${secret}`));
        for (const url of [...bare, ...strange]) expect(redactUrl(url)).not.toContain(secret);
      }),
      { numRuns: 500 },
    );
  });

  it('in a field newer than Reelkit is not shown either', () => {
    const stream = { urls: ['rtmp://h/app/streamkey'] };
    const message = start('roomComposite', {
      roomName: 'r',
      streamOutputs: [stream],
      webhooks: [{ url: 'https://app.test' }],
    });
    if (message.request.case !== 'roomComposite') throw new Error('not what was made');
    const { value } = message.request;
    for (const holder of [value, value.streamOutputs[0], value.webhooks[0]])
      proto3.bin.onUnknownField(holder as object as EgressInfo, 99, 2, Buffer.from([7, ...Buffer.from('hunter2')]));
    const shown = bytesOf(acceptedInfo(message, 1));
    expect(bytesOf(message).split('hunter2')).toHaveLength(4);
    // LiveKit sends webhooks by what stands in the record.
    expect(shown.split('hunter2')).toHaveLength(2);
  });
});

describe('what stands in the place of a secret', () => {
  const kinds: Kind[] = ['roomComposite', 'track', 'egress'];
  it.each(kinds)("are the worker's own words: %s", (kind) => {
    const shown = (upload: keyof typeof UPLOADS) => {
      const request = {
        kind,
        upload,
        name: 'a',
        secret: 'hunter2',
        single: undefined,
        streams: 'rtmp',
        images: 0,
      } as const;
      return JSON.stringify(acceptedInfo(requestOf(request), 1).toJson({ useProtoFieldName: true }));
    };
    for (const word of ['access_key', 'secret', 'session_token', 'password'])
      expect(shown('s3')).toContain(`"${word}":"{${word}}"`);
    expect(shown('s3')).toContain('"assume_role_external_id":"{external_id}"');
    expect(shown('gcp')).toContain('"credentials":"{credentials}"');
    expect(shown('azure')).toContain(
      '"account_name":"{account_name}","account_key":"{account_key}","container_name":"c"',
    );
    expect(shown('aliOSS')).toContain('"access_key":"{access_key}","secret":"{secret}"');
  });

  it('is nothing where there was none', () => {
    const message = start('roomComposite', { fileOutputs: [{ output: { case: 's3', value: { bucket: 'b' } } }] });
    expect(acceptedInfo(message, 1).toJson()).toMatchObject({
      roomComposite: { fileOutputs: [{ s3: { bucket: 'b' } }] },
    });
    expect(JSON.stringify(acceptedInfo(message, 1).toJson())).not.toContain('"{');
  });

  /** The first five as livekit/protocol's utils.RedactStreamKey writes them. */
  it.each([
    ['rtmp://localhost:1935/live/streamkey', 'rtmp://localhost:1935/live/{str...key}'],
    ['rtmps://h/app/abcdef live=1', 'rtmps://h/app/{ab...ef} live=1'],
    ['rtmp://h/a/b/ab', 'rtmp://h/a/b/{...}'],
    ['mux://streamkey', 'mux://{str...key}'],
    ['srt://h:9000?streamid=x&passphrase=y&mode=', 'srt://h:9000?streamid={...}&passphrase={...}&mode={...}'],
    ['wss://h/path?token=x', 'wss://h/path?token={...}'],
    ['wss://h/path', 'wss://h/path'],
    ['wss://me:pass@h/path', 'wss://{...}@h/path'],
    ['rtmp://h/app/key?a=b/c', 'rtmp://h/app/{key...b/c}'],
    ['rtmp://h', 'rtmp://h'],
    ['twich://streamkey', 'twich://{...}'],
    ['hunter2', '{url}'],
    ['', '{url}'],
  ])('of the URL %s is %s', (url, shown) => {
    expect(redactUrl(url)).toBe(shown);
  });

  it('stays when it is shown again', () => {
    const secret = fc.stringMatching(/^[A-Za-z0-9]{1,30}$/);
    fc.assert(
      fc.property(secret, fc.constantFrom(...Object.values(STREAM_URLS)), (key, urls) => {
        for (const url of urls(key)) expect(redactUrl(redactUrl(url))).toBe(redactUrl(url));
      }),
    );
  });

  it('is found in the middle of a text', () => {
    expect(redactText('invalid url rtmp://h/app/streamkey: no; stream srt://h?a=b not found')).toBe(
      'invalid url rtmp://h/app/{str...key}: no; stream srt://h?a={...} not found',
    );
    expect(redactText('page https://ada:pw@h/x?token=a did not load')).toBe(
      'page https://{...}@h/x?token={...} did not load',
    );
    expect(redactText('End reason: Source closed')).toBe('End reason: Source closed');
  });
});
