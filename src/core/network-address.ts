/**
 * What a network address leads to, by the registries of special-purpose addresses.
 * @see https://www.iana.org/assignments/iana-ipv4-special-registry
 * @see https://www.iana.org/assignments/iana-ipv6-special-registry
 */
export type AddressReach =
  | "public" // anybody's, on the internet
  | "private" // this machine, or a network that is somebody's own
  | "forbidden"; // a cloud's metadata, link-local, multicast, or no address that a request has any business with

/** Where an address leads; undefined when the text is no IPv4 address in four decimal parts and no IPv6 address. */
export function reachOf(address: string): AddressReach | undefined {
  const v4 = parseIPv4(address);
  if (v4 !== undefined) return reachOfIPv4(v4);
  const v6 = parseIPv6(address);
  return v6 === undefined ? undefined : reachOfIPv6(v6);
}

type Range<Words> = readonly [Words, bits: number];

const PRIVATE_V4: readonly Range<string>[] = [
  ["127.0.0.0", 8],
  ["10.0.0.0", 8],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
  ["100.64.0.0", 10],
];
const FORBIDDEN_V4: readonly Range<string>[] = [
  // Metadata services outside of the link-local range: Alibaba's, Azure's wire server. (Oracle's is in 192.0.0.0/24.)
  ["100.100.100.200", 32],
  ["168.63.129.16", 32],
  ["0.0.0.0", 8],
  ["169.254.0.0", 16],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
];

function reachOfIPv4(address: number): AddressReach {
  const isIn = ([network, bits]: Range<string>) => {
    const start = parseIPv4(network) ?? 0;
    return address >= start && address < start + 2 ** (32 - bits);
  };
  if (FORBIDDEN_V4.some(isIn)) return "forbidden";
  return PRIVATE_V4.some(isIn) ? "private" : "public";
}

/** Ranges that carry an IPv4 address, and at which of the eight words it begins: it is the one that is reached. */
const CARRIES_V4: readonly (readonly [network: string, bits: number, at: number])[] = [
  ["::ffff:0:0", 96, 6], // mapped
  ["::ffff:0:0:0", 96, 6], // translated (RFC 2765)
  ["64:ff9b::", 96, 6], // NAT64
  ["2002::", 16, 1], // 6to4
];
const PRIVATE_V6: readonly Range<string>[] = [
  ["::1", 128],
  ["fc00::", 7],
];
const FORBIDDEN_V6: readonly Range<string>[] = [
  // Amazon's metadata service is in the range that is anybody's own.
  ["fd00:ec2::254", 128],
  // Of what is given out to the internet, these are not: Teredo and the like, documentation.
  ["2001::", 23],
  ["2001:db8::", 32],
  ["3fff::", 20],
];
const GIVEN_OUT_V6: Range<string> = ["2000::", 3];

function reachOfIPv6(words: readonly number[]): AddressReach {
  const isIn = ([network, bits]: Range<string>) => isInIPv6(words, network, bits);
  const carried = CARRIES_V4.find(([network, bits]) => isInIPv6(words, network, bits));
  if (carried !== undefined) {
    const [high = 0, low = 0] = words.slice(carried[2]);
    return reachOfIPv4(high * 2 ** 16 + low);
  }
  if (FORBIDDEN_V6.some(isIn)) return "forbidden";
  if (PRIVATE_V6.some(isIn)) return "private";
  return isIn(GIVEN_OUT_V6) ? "public" : "forbidden";
}

function isInIPv6(words: readonly number[], network: string, bits: number): boolean {
  const start = parseIPv6(network) ?? [];
  return words.every((word, place) => {
    const bitsHere = Math.min(16, Math.max(0, bits - place * 16));
    return word >>> (16 - bitsHere) === (start[place] ?? 0) >>> (16 - bitsHere);
  });
}

function parseIPv4(text: string): number | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255))
    return undefined;
  return parts.reduce((address, part) => address * 256 + Number(part), 0);
}

/** Eight words of 16 bits. A zone (`fe80::1%eth0`) is of a link, which is forbidden anyway. */
function parseIPv6(text: string): readonly number[] | undefined {
  const [address = ""] = text.split("%");
  const halves = inWords(address).split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = [wordsOf(halves[0] ?? ""), wordsOf(halves[1] ?? "")];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  return [...head, ...Array.from({ length: missing }, () => 0), ...tail];
}

/** The last 32 bits may be written as an IPv4 address: here they are two words, as the others. */
function inWords(address: string): string {
  const start = address.lastIndexOf(":") + 1;
  const v4 = parseIPv4(address.slice(start));
  return v4 === undefined
    ? address
    : `${address.slice(0, start)}${(v4 >>> 16).toString(16)}:${(v4 & 0xffff).toString(16)}`;
}

function wordsOf(text: string): number[] | undefined {
  if (text === "") return [];
  const parts = text.split(":");
  if (!parts.every((part) => /^[0-9a-f]{1,4}$/i.test(part))) return undefined;
  return parts.map((part) => Number.parseInt(part, 16));
}
