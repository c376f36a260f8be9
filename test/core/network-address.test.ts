import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { reachOf } from "../../src/core/network-address.ts";

const reaches = (addresses: readonly string[]) => Object.fromEntries(addresses.map((one) => [one, reachOf(one)]));
const all = (addresses: readonly string[], reach: ReturnType<typeof reachOf>) =>
  expect(reaches(addresses)).toEqual(Object.fromEntries(addresses.map((one) => [one, reach])));

describe("IPv4", () => {
  test("ranges end where the registry ends them: just before, at, just after", () => {
    all(["9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0"], "public");
    all(["10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255"], "private");
    all(["126.255.255.255", "128.0.0.0", "100.63.255.255", "100.128.0.0"], "public");
    all(["127.0.0.0", "127.255.255.255", "100.64.0.0", "100.127.255.255"], "private");
    all(["169.253.255.255", "169.255.0.0", "223.255.255.255", "1.0.0.0"], "public");
    all(["169.254.0.0", "169.254.169.254", "169.254.255.255", "224.0.0.0", "255.255.255.255"], "forbidden");
    all(["0.0.0.0", "0.255.255.255", "192.0.2.1", "198.51.100.7", "203.0.113.9", "198.18.0.0"], "forbidden");
  });

  test("every forbidden range ends where the registry ends it", () => {
    all(["192.0.0.0", "192.0.0.255", "192.0.2.0", "192.0.2.255", "192.88.99.0", "192.88.99.255"], "forbidden");
    all(["191.255.255.255", "192.0.1.0", "192.0.1.255", "192.0.3.0", "192.88.98.255", "192.88.100.0"], "public");
    all(["198.18.0.0", "198.19.255.255", "198.51.100.0", "198.51.100.255"], "forbidden");
    all(["198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0"], "public");
    all(["203.0.113.0", "203.0.113.255", "231.255.255.255", "232.0.0.0", "239.255.255.255", "240.0.0.0"], "forbidden");
    all(["203.0.112.255", "203.0.114.0", "223.255.255.255"], "public");
  });

  test("metadata services elsewhere are forbidden, and their neighbours are not", () => {
    all(["100.100.100.200", "168.63.129.16", "192.0.0.192"], "forbidden");
    all(["100.100.100.199", "100.100.100.201"], "private");
    all(["168.63.129.15", "168.63.129.17"], "public");
  });
});

describe("IPv6", () => {
  test("loopback and a network's own are private, what is given out is public, the rest forbidden", () => {
    all(["::1", "fc00::", "fd00::8", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"], "private");
    all(["2606:4700::1111", "2a00:1450:4001:81b::200e", "3ffe::1"], "public");
    all(["::", "::2", "fe80::1", "fe80::1%eth0", "febf::1", "fec0::1", "ff02::1", "4000::", "1fff::1"], "forbidden");
    all(["2001:db8::1", "2001::1", "2001:1ff::1", "3fff::1", "64:ff9b:1::1", "100::1", "fd00:ec2::254"], "forbidden");
  });

  test("ranges end where the registry ends them", () => {
    all(["2001:1ff:ffff::", "2001:db8::", "2001:db8:ffff:ffff::1", "3fff::", "3fff:fff:ffff::1"], "forbidden");
    all(["2001:200::", "2001:db7:ffff::1", "2001:db9::", "3ffe:ffff::1", "3fff:1000::", "3fff:ffff::1"], "public");
    all(["fd00:ec2::253", "fd00:ec2::255", "fdff::"], "private");
    all(["fbff::1", "fe00::1", "1fff:ffff::1", "4000::"], "forbidden");
  });

  test("a gap may stand for one word only, at either end", () => {
    all(["2606:4700:3:4:5:6:7::", "2606:4700:3::5:6:7:8", "2606:4700:3:4:5:6:7:8"], "public");
    all(["::2:3:4:5:6:7:8"], "forbidden");
  });

  test("an address that carries an IPv4 address leads where that one does, however it is written", () => {
    all(
      ["::ffff:127.0.0.1", "::ffff:7f00:1", "0:0:0:0:0:ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"],
      "private",
    );
    all(["::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1"], "forbidden");
    all(["::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"], "public");
    // Translated ones (RFC 2765), with the first bit of the carried address set and not.
    all(["::ffff:0:8.8.8.8", "::ffff:0:200.1.1.1"], "public");
    all(["::ffff:0:127.0.0.1", "::ffff:0:192.168.0.1"], "private");
    // Compatible ones (deprecated) reach nobody.
    all(["::127.0.0.1", "::8.8.8.8"], "forbidden");
  });
});

test("what is no address is none: other notations are a resolver's, or a parser's, to read", () => {
  const others = [
    "",
    "localhost",
    "127.1",
    "0x7f.0.0.1",
    "2130706433",
    "127.0.0.01",
    "256.0.0.1",
    "1.2.3.4.5",
    "1.2.3",
  ];
  all(others, undefined);
  all(
    [":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::", "g::1", "::1.2.3", "1:2:3:4:5:6:7::8"],
    undefined,
  );
});

test("every IPv4 address leads where it leads when IPv6 carries it", () => {
  const part = fc.integer({ min: 0, max: 255 });
  fc.assert(
    fc.property(part, part, part, part, (...parts) => {
      const v4 = parts.join(".");
      expect(reachOf(`::ffff:${v4}`)).toBe(reachOf(v4));
      expect(reachOf(`64:ff9b::${v4}`)).toBe(reachOf(v4));
    }),
  );
});

test("an IPv4 address ends an IPv6 address, and stands nowhere else in one", () => {
  all(["1.2.3.4::", "1.2.3.4::1", "::1.2.3.4:5", "1.2.3.4:5:6:7:8:9:a", "::1.2.3.4::", "1.2.3.4%eth0"], undefined);
  all(["64:ff9b::8.8.8.8", "0:0:0:0:0:ffff:8.8.8.8"], "public");
  all(["1:2:3:4:5:6:7:1.2.3.4", "1:2:3:4:5:1.2.3.4", "::ffff:256.1.1.1"], undefined);
});
