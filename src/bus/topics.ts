// psrpc's names of Redis channels (pkg/info/channels.go, the `Legacy` ones, which its Redis bus uses in 0.7 and 0.8 alike).
// Parts are joined by `|`, and what is no letter, digit or underscore is escaped in them.

/** In place of a topic: all topics, by pattern subscription. */
export const ANY_TOPIC = '*';

export interface RpcName {
  service: string;
  method: string;
  topic?: string | undefined;
}

export function requestChannel({ service, method, topic }: RpcName): string {
  return join(service, method, topic, 'REQ');
}

/** Where the caller says which server it takes. */
export function grantChannel({ service, method, topic }: RpcName): string {
  return join(service, method, topic, 'RCLAIM');
}

export function claimChannel(service: string, clientId: string): string {
  return join(service, clientId, undefined, 'CLAIM');
}

export function replyChannel(service: string, clientId: string): string {
  return join(service, clientId, undefined, 'RES');
}

/** Where Reelkit's own processes say what they work on; psrpc has no such channel. */
export function atWorkChannel({ service, method, topic }: RpcName): string {
  return join(service, method, topic, 'ATWORK');
}

/** The topic of a request's or grant's channel; undefined for a channel without one. */
export function topicOf(channel: string): string | undefined {
  const parts = channel.split('|');
  return parts.length > 3 ? unescapePart(parts.slice(2, -1).join('|')) : undefined;
}

function join(service: string, second: string, third: string | undefined, kind: string): string {
  const topic = third === ANY_TOPIC ? [ANY_TOPIC] : [third ?? ''].map(escapePart);
  return [escapePart(service), second === ANY_TOPIC ? second : escapePart(second), ...topic, kind]
    .filter((part) => part !== '')
    .join('|');
}

export function escapePart(part: string): string {
  let escaped = '';
  for (const character of part) {
    escaped += /^\w$/.test(character) ? character : escapeCharacter(character.codePointAt(0) ?? 0);
  }
  return escaped;
}

function escapeCharacter(codePoint: number): string {
  const hex = codePoint.toString(16);
  return codePoint < 0x10000 ? `u+${hex.padStart(4, '0')}` : `U+${hex.padStart(8, '0')}`;
}

function unescapePart(part: string): string {
  return part.replace(/u\+([0-9a-f]{4})|U\+([0-9a-f]{8})/g, (all, short?: string, long?: string) => {
    const codePoint = Number.parseInt(short ?? long ?? '', 16);
    return codePoint <= 0x10ffff ? String.fromCodePoint(codePoint) : all;
  });
}
