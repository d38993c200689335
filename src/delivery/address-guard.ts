// Which addresses webhooks may be sent to: public ones, and what `webhooks.allow` lists. Names are judged by the address that the
// connection is made to, so that one which answers differently the second time reaches nothing. ipaddr.js knows which addresses are public.
import { type LookupAddress, lookup as resolve } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';

export interface AddressGuard {
  /** For a connection: answers the allowed addresses of a name only. */
  lookup: LookupFunction;
  /** What can be said of an address or name before it is looked up. */
  denies(host: string): boolean;
}

/** The connection was refused by us. */
export class AddressDenied extends Error {}

const LOOPBACK = ['127.0.0.1', '::1'];

type Address = ReturnType<typeof ipaddr.parse>;
type Range = ReturnType<typeof ipaddr.parseCIDR>;

/** @returns whether an entry of `webhooks.allow` is an address or a range; else it is a host's name */
export function isRange(entry: string): boolean {
  return rangeOf(entry) !== undefined;
}

/** @param allow addresses, ranges (CIDR) and names of hosts */
export function createAddressGuard(allow: readonly string[], dns: typeof resolve = resolve): AddressGuard {
  const ranges = allow.map(rangeOf).filter((range) => range !== undefined);
  const names = new Set(allow.filter((entry) => !isRange(entry)).map((entry) => entry.toLowerCase()));
  const isAllowed = (text: string) => {
    const address = parsed(text);
    if (address === undefined) return false;
    return address.range() === 'unicast' || ranges.some((range) => contains(range, address));
  };
  return {
    denies(host) {
      const name = withoutBrackets(host);
      if (names.has(name.toLowerCase())) return false;
      return isIP(name) === 0 ? isLocalName(name) && !LOOPBACK.some(isAllowed) : !isAllowed(name);
    },
    lookup(hostname, options, callback) {
      dns(hostname, { ...options, all: true }, (error, found: LookupAddress[]) => {
        if (error) return callback(error, []);
        const open = names.has(hostname.toLowerCase()) ? found : found.filter(({ address }) => isAllowed(address));
        const [first] = open;
        if (!first) return callback(new AddressDenied(`${hostname} is at a private address`), []);
        if (options.all) callback(null, open);
        else callback(null, first.address, first.family);
      });
    },
  };
}

function rangeOf(entry: string): Range | undefined {
  try {
    if (entry.includes('/')) return ipaddr.parseCIDR(entry);
    const address = parsed(entry);
    return address && [address, address.kind() === 'ipv4' ? 32 : 128];
  } catch {
    return undefined;
  }
}

/** IPv4 inside IPv6 is what it stands for. */
function parsed(text: string): Address | undefined {
  // ipaddr.js reads 127.1 as well, which is a name to Node. A zone belongs to this machine: what has one is not public.
  return isIP(text) === 0 || text.includes('%') ? undefined : ipaddr.process(text);
}

function contains([base, bits]: Range, address: Address): boolean {
  return address.kind() === base.kind() && address.match(base as never, bits);
}

function isLocalName(name: string): boolean {
  return /(^|\.)localhost\.?$/i.test(name);
}

function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}
