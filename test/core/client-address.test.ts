import { describe, expect, test } from "bun:test";
import { canonicalAddress, clientKey, trustedAddress } from "../../src/core/client-address.ts";

describe("S28 one spelling for each address", () => {
  test.each([
    ["1.2.3.4", "1.2.3.4"],
    ["::ffff:1.2.3.4", "1.2.3.4"],
    ["::FFFF:1.2.3.4", "1.2.3.4"],
    ["::ffff:102:304", "1.2.3.4"],
    ["0:0:0:0:0:ffff:1.2.3.4", "1.2.3.4"],
    ["::ffff:255.255.255.255", "255.255.255.255"],
    ["::", "0:0:0:0:0:0:0:0"],
    ["::1", "0:0:0:0:0:0:0:1"],
    ["1::", "1:0:0:0:0:0:0:0"],
    ["2001:DB8::1", "2001:db8:0:0:0:0:0:1"],
    ["2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8:0:0:0:0:0:1"],
    ["2001:db8::1:0:0:1", "2001:db8:0:0:1:0:0:1"],
    ["fe80::1%eth0", "fe80:0:0:0:0:0:0:1"],
    ["64:ff9b::1.2.3.4", "64:ff9b:0:0:0:0:102:304"],
    ["::1.2.3.4", "0:0:0:0:0:0:102:304"],
    ["::fffe:1.2.3.4", "0:0:0:0:0:fffe:102:304"],
    ["1::ffff:1.2.3.4", "1:0:0:0:0:ffff:102:304"],
    ["::1:ffff:1.2.3.4", "0:0:0:0:1:ffff:102:304"],
    ["1.2.3", null],
    ["01.2.3.4", null],
    ["1.2.3.256", null],
    ["1.2.3.4.5", null],
    ["1.2.3.4 ", null],
    ["1.2.3.4%eth0", null],
    ["1:2:3", null],
    ["1:::2", null],
    ["::fffff", null],
    ["[::1]", null],
    ["localhost", null],
    ["", null],
  ])("S28 %p is %p", (text, canonical) => {
    expect(canonicalAddress(text)).toBe(canonical);
  });

  test.each([
    ["1.2.3.4", "1.2.3.4"],
    ["::ffff:1.2.3.4", "1.2.3.4"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8:1:2::", "2001:db8:1:2::/64"],
    ["2001:0DB8:1:2:ffff::1", "2001:db8:1:2::/64"],
    ["2001:db8:1:3::1", "2001:db8:1:3::/64"],
    ["::1", "0:0:0:0::/64"],
    ["unix", "unknown"],
    ["", "unknown"],
  ])("S28 %p is counted as %p", (address, key) => {
    expect(clientKey(address)).toBe(key);
  });
});

describe("S28 X-Forwarded-For", () => {
  const SOCKET = "10.0.0.1";
  test.each([
    ["is ignored by default", "6.6.6.6", 0, SOCKET],
    ["is ignored however many are trusted below one", "6.6.6.6", -1, SOCKET],
    ["missing", null, 1, SOCKET],
    ["empty", "", 1, SOCKET],
    ["one proxy", "1.2.3.4", 1, "1.2.3.4"],
    ["one proxy, and the client's own words", "6.6.6.6, 1.2.3.4", 1, "1.2.3.4"],
    ["two proxies", "1.2.3.4, 10.0.0.2", 2, "1.2.3.4"],
    ["two proxies, and the client's own words", "6.6.6.6,1.2.3.4,10.0.0.2", 2, "1.2.3.4"],
    ["two proxies, the client's words unreadable", "<script>, 1.2.3.4, 10.0.0.2", 2, "1.2.3.4"],
    ["too few", "1.2.3.4", 2, SOCKET],
    ["unreadable", "unknown", 1, SOCKET],
    ["one of the trusted unreadable", "1.2.3.4, unknown", 2, SOCKET],
    ["the trusted one empty", "1.2.3.4,", 1, SOCKET],
    ["tabs and spaces", " \t1.2.3.4 \t", 1, "1.2.3.4"],
    ["with a port", "1.2.3.4:5678", 1, "1.2.3.4"],
    ["IPv6", "2001:db8::1", 1, "2001:db8:0:0:0:0:0:1"],
    ["IPv6 with brackets", "[2001:db8::1]", 1, "2001:db8:0:0:0:0:0:1"],
    ["IPv6 with a port", "[2001:db8::1]:443", 1, "2001:db8:0:0:0:0:0:1"],
    ["IPv4 within IPv6", "::ffff:1.2.3.4", 1, "1.2.3.4"],
    ["100 kB of commas", ",".repeat(100_000), 1, SOCKET],
  ])("S28 %s", (_, header, trustedProxies, address) => {
    expect(trustedAddress(SOCKET, header, trustedProxies)).toBe(address);
  });

  test("S28 the socket's own address is canonical too", () => {
    expect(trustedAddress("::ffff:10.0.0.1", null, 0)).toBe("10.0.0.1");
    expect(trustedAddress("a unix socket", null, 0)).toBe("a unix socket");
  });
});
