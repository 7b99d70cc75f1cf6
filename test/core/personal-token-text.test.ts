import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { newPersonalToken, personalTokenProblem } from "../../src/core/personal-token-text.ts";

test("a token is lk_, the realm's letter, 43 digits and a checksum", () => {
  for (let count = 0; count < 200; count += 1) {
    const token = newPersonalToken("user", randomBytes);
    expect(token).toMatch(/^lk_u_[0-9A-Za-z]{49}$/);
    expect(personalTokenProblem(token, "user")).toBeNull();
  }
  expect(newPersonalToken("admin", randomBytes)).toStartWith("lk_a_");
});

test("its digits are the random bytes, and its checksum is zip's", () => {
  expect(newPersonalToken("user", (count) => new Uint8Array(count))).toStartWith(`lk_u_${"0".repeat(43)}`);
  const most = newPersonalToken("user", (count) => new Uint8Array(count).fill(255));
  // 2^256 - 1 in base 62, and crc32("lk_u_" + that) = 0x8f80a2fe, both reckoned by another program.
  expect(most).toBe("lk_u_yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp12cvvW2");
});

test("S16 a changed, cut or foreign character is refused by the checksum", () => {
  const token = newPersonalToken("admin", randomBytes);
  for (let at = 5; at < token.length; at += 1) {
    const other = token.charAt(at) === "x" ? "y" : "x";
    expect(personalTokenProblem(token.slice(0, at) + other + token.slice(at + 1), "admin")).toBe(
      "bad_checksum",
    );
  }
  for (const text of [
    token.slice(0, -1),
    `${token}0`,
    `lk_a_${token}`,
    token.replace("lk_", "LK_"),
    `lk_x_${token.slice(5)}`,
  ]) {
    expect(personalTokenProblem(text, "admin")).toBe("malformed");
  }
  expect(personalTokenProblem(token.replace("lk_a_", "lk_u_"), "user")).toBe("bad_checksum");
  expect(personalTokenProblem(token, "user")).toBe("wrong_realm");
});
