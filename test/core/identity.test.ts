import { describe, expect, test } from "bun:test";
import {
  couldBeName,
  emailProblem,
  normalEmail,
  normalPhone,
  usernameKey,
  usernameProblem,
} from "../../src/core/identity.ts";

const OF_254_CHARACTERS = `${"a".repeat(64)}@${"b.".repeat(93)}com`;

describe("e-mail addresses", () => {
  for (const good of [
    "a@b.co",
    "User.Name+tag@Example.COM",
    "o'brien@example.org",
    "josé@example.com",
    "用户@例え.jp",
    "x@sub.domain.example",
    "a@xn--nxasmq6b.example",
    " padded@example.com ",
    `${"a".repeat(64)}@example.com`,
    OF_254_CHARACTERS,
  ]) {
    test(`${good} is one`, () => expect(emailProblem(good)).toBeNull());
  }

  for (const bad of [
    "",
    "nobody",
    "@example.com",
    "a@",
    "a@b",
    "a@b.c",
    "a@@example.com",
    "a b@example.com",
    "a@exam ple.com",
    ".a@example.com",
    "a.@example.com",
    "a..b@example.com",
    "a@-example.com",
    "a@example-.com",
    "a@example..com",
    "a@example.com.",
    "a@127.0.0.1",
    "a@[127.0.0.1]",
    "a@example.com:80",
    "a@example.com/path",
    "a@ex%41mple.com",
    '"quoted"@example.com',
    "a\n@example.com",
    "a\u202e@example.com",
    `${"a".repeat(65)}@example.com`,
    `a@${"b".repeat(250)}.com`,
    `${OF_254_CHARACTERS}m`,
  ]) {
    test(`${JSON.stringify(bad.slice(0, 40))} is none`, () => expect(emailProblem(bad)).not.toBeNull());
  }

  test("S7 spellings that a person calls the same are the same text", () => {
    expect(normalEmail(" JOSÉ@Example.com")).toBe("josé@example.com");
    expect(normalEmail("jose\u0301@example.com")).toBe("josé@example.com");
    // Of this letter only the small form is one character: it is composed after the change of case.
    expect(normalEmail("J\u030c@example.com")).toBe("\u01f0@example.com");
    expect(normalEmail("ΑΣ@example.com")).toBe(normalEmail("ας@example.com"));
    for (const spelt of ["nik@ΚΌΣΜΟΣ.GR", "NIK@Κόσμος.gr", "nik@κόσμος.gr"])
      expect(normalEmail(spelt)).toBe("nik@κόσμος.gr");
    expect(normalEmail("ΑΣ@example.com")).toBe(normalEmail("ασ@example.com"));
    expect(normalEmail(normalEmail("İ@example.com"))).toBe(normalEmail("İ@example.com"));
  });

  for (const [spelling, normal] of [
    ["a@xn--bcher-kva.de", "a@bücher.de"],
    ["a@XN--BCHER-KVA.de", "a@bücher.de"],
    ["a@ｅｘａｍｐｌｅ.com", "a@example.com"],
    ["a@ﬁsh.com", "a@fish.com"],
    ["a@straße.de", "a@straße.de"],
  ] as const) {
    test(`S7 ${spelling} is another spelling of ${normal}`, () => {
      expect(emailProblem(spelling)).toBeNull();
      expect(normalEmail(spelling)).toBe(normal);
      expect(normalEmail(normal)).toBe(normal);
    });
  }

  test("what is no address keeps the letters that it has", () => {
    for (const text of ["xn--bcher-kva", "ｊｏｅ", "a@xn--999999999", "a@ｘ%41.com"])
      expect(normalEmail(text)).toBe(text);
  });

  test("a text that is too long is refused without being normalised, which takes time in its length's square", () => {
    const startedMs = performance.now();
    expect(emailProblem(`${"\u0301\u0316".repeat(200_000)}@example.com`)).not.toBeNull();
    expect(performance.now() - startedMs).toBeLessThan(100);
  });
});

test("a text of up to 512 UTF-16 units could be a name, and is looked up as one", () => {
  expect([couldBeName("x".repeat(512)), couldBeName("x".repeat(513))]).toEqual([true, false]);
});

describe("usernames", () => {
  for (const good of ["abc", "john_doe", "A.B-c_9", "x".repeat(50)]) {
    test(`${good} is one`, () => expect(usernameProblem(good)).toBeNull());
  }
  for (const bad of ["", "ab", "x".repeat(51), "a@b.co", "with space", "josé", "a\n", "abc\0"]) {
    test(`${JSON.stringify(bad)} is none`, () => expect(usernameProblem(bad)).not.toBeNull());
  }

  test("are the same without regard to case", () =>
    expect(usernameKey("John_Doe")).toBe(usernameKey("JOHN_doe")));
});

describe("phone numbers", () => {
  for (const [given, normal] of [
    ["+49 151 12345678", "+4915112345678"],
    ["+1 (202) 555-0147", "+12025550147"],
    ["+44.20.7946.0958", "+442079460958"],
    [" +354\u00a0555\u20130199 ", "+3545550199"],
    ["+2905555", "+2905555"],
    ["+123456789012345", "+123456789012345"],
  ] as const) {
    test(`${given} is ${normal}`, () => expect(normalPhone(given)).toBe(normal));
  }

  for (const bad of [
    "",
    "+",
    "4915112345678",
    "+0151123456",
    "+123456",
    "+1234567890123456",
    "+49151x234567",
    "+٤٩١٥١١٢٣٤٥",
  ]) {
    test(`${JSON.stringify(bad)} is none`, () => expect(normalPhone(bad)).toBeNull());
  }

  test("a long text is none, and takes no time to look at", () => {
    expect(normalPhone(`+${" ".repeat(10_000_000)}4915112345678`)).toBeNull();
  });
});
