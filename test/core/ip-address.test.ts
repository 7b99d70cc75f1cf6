import { expect, test } from "bun:test";
import { isIPv4, isIPv6 } from "node:net";
import { inUrl, ipv6Groups, isIpv4, withoutZone } from "../../src/core/ip-address.ts";
import { fc, seed } from "../support/seed.ts";

const TEXTS = [
  "",
  ".",
  ":",
  "::",
  "::1",
  "1::",
  "::1::",
  ":::",
  "1:2:3:4:5:6:7:8",
  "1:2:3:4:5:6:7::",
  "1:2:3:4:5:6:7",
  "1::2:3:4:5:6:7:8",
  "fe80::1",
  "FE80::ABCD",
  "::12345",
  "::g",
  "::ffff:1.2.3.4",
  "::ffff:1.2.3",
  "::ffff:1.2.3.4.5",
  "::1.2.3.04",
  "1.2.3.4::",
  "::1]",
  "[::1]",
  "::1]/x",
  "::1/64",
  "::1 ",
  " ::1",
  "::\t1",
  "::1\n",
  "::1%",
  "::1%eth0",
  "::1#",
  "::1?",
  "@::1",
  "::1]:80",
  "1.2.3.4",
  "0.0.0.0",
  "255.255.255.255",
  "256.1.1.1",
  "1.2.3",
  "1.2.3.4.5",
  "01.2.3.4",
  "1.2.3.4 ",
  "1.2.3.4\n",
  "1..2.3",
  "1.2.3.+4",
  "0x1.2.3.4",
  "１.2.3.4",
];

const PARTS = [
  "0",
  "1",
  "9",
  "25",
  "255",
  "256",
  "a",
  "fF",
  "ffff",
  "0000",
  ".",
  ".",
  ":",
  ":",
  ":",
  "::",
  "1.2.3.4",
];
/** Texts that are nearly addresses: parts of some, put together in any order. */
const nearlyAddress = fc
  .array(fc.constantFrom(...PARTS), { minLength: 1, maxLength: 15 })
  .map((parts) => parts.join(""));

test("an address is what Node takes for one", () => {
  let addresses = 0;
  for (const text of [...TEXTS, ...fc.sample(nearlyAddress, { numRuns: 50_000, seed })]) {
    expect([text, isIpv4(text)]).toEqual([text, isIPv4(text)]);
    // Node takes a zone along.
    const isOfIpv6 = ipv6Groups(text) !== null;
    expect([text, isOfIpv6]).toEqual([text, isIPv6(text) && !text.includes("%")]);
    if (isIpv4(text) || isOfIpv6) addresses += 1;
  }
  expect(addresses).toBeGreaterThan(100);
});

test("an IPv6 address is eight numbers", () => {
  expect(ipv6Groups("2001:DB8::1:0")).toEqual([0x2001, 0xdb8, 0, 0, 0, 0, 1, 0]);
  expect(ipv6Groups("::ffff:1.2.3.4")).toEqual([0, 0, 0, 0, 0, 0xffff, 0x102, 0x304]);
  expect(ipv6Groups("1:2:3:4:5:6:7::")).toEqual([1, 2, 3, 4, 5, 6, 7, 0]);
});

test("a zone is no part of the address", () => {
  expect(withoutZone("fe80::1%eth0")).toBe("fe80::1");
  expect(withoutZone("::1")).toBe("::1");
});

test("in a URL an IPv6 address stands in brackets", () => {
  expect(inUrl("::1")).toBe("[::1]");
  expect(inUrl("127.0.0.1")).toBe("127.0.0.1");
  expect(inUrl("example.com")).toBe("example.com");
});
