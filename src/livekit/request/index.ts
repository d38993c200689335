// The language of LiveKit's requests: read, checked, named, kept from showing secrets, and made. Pure.
export { forAttempt } from './attempt.ts';
export { keepFolderFor, withSegments } from './crash-safe.ts';
export { withLayout } from './layout.ts';
export { liftRequest, roomNameOf, sourceOf } from './lift.ts';
export { lowerRequest } from './lower.ts';
export { copiedTrackOf, renderNames } from './names.ts';
export { reachOf } from './reach.ts';
export { redactText, redactUrl, withoutUrlSecrets } from './redact.ts';
export { refusalOf } from './refusal.ts';
export { ActiveEgresses, decodeStart, StartMessage } from './rpc.ts';
export { withStorages } from './storages.ts';
export { streamUrlsChanged } from './stream-urls.ts';
