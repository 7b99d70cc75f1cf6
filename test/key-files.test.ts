import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { publicKey } from "../src/core/keyring.ts";
import type { Algorithm } from "../src/core/keyring.ts";
import { type Log, silentLog } from "../src/core/log.ts";
import { KeyFolder, KeysRefused, LOCK } from "../src/key-files.ts";
import { LiveKeys } from "../src/live-keys.ts";
import { eventually } from "./support/eventually.ts";
import { MAIN } from "./support/process.ts";

let path = "";
let folder = new KeyFolder("");
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), "latchkey-keys-"));
  folder = new KeyFolder(path);
});
afterEach(() => rmSync(path, { recursive: true }));

const at = (file: string) => join(path, file);
const modeOf = (file: string) => statSync(at(file)).mode & 0o777;
const uses = () => folder.read().map(({ file, use }) => `${file} ${use}`);

/** ES256 throughout, since making an RSA pair takes a hundred times as long. */
function otherPair() {
  return generateKeyPairSync("ec", {
    namedCurve: "P-256",
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
}

function refusal(): string {
  try {
    folder.read();
  } catch (error) {
    if (error instanceof KeysRefused) return error.message;
    throw error;
  }
  return "accepted";
}

describe("making the pair", () => {
  test.each(["RS256", "ES256", "EdDSA"] as const)(
    "a pair for %s, the private half for its owner alone",
    (alg) => {
      folder.makeMissing(alg);
      expect(readdirSync(path).toSorted()).toEqual(["private_key.pem", "public_key.pem"]);
      expect(modeOf("private_key.pem")).toBe(0o600);
      const [file] = folder.read();
      expect(file).toMatchObject({ file: "private_key.pem", use: "signs", isReadableByAll: false });
      expect(file?.key.algorithm).toBe(alg);
    },
  );

  test("a pair that is there is left alone, and a missing public half is written", () => {
    folder.makeMissing("ES256");
    const before = readFileSync(at("private_key.pem"), "utf8");
    const half = readFileSync(at("public_key.pem"), "utf8");
    rmSync(at("public_key.pem"));
    folder.makeMissing("RS256");
    expect(readFileSync(at("private_key.pem"), "utf8")).toBe(before);
    expect(readFileSync(at("public_key.pem"), "utf8")).toBe(half);
  });

  test("a public key alone is not overwritten by another pair's", () => {
    writeFileSync(at("public_key.pem"), otherPair().publicKey);
    expect(() => folder.makeMissing("ES256")).toThrow("there is no private_key.pem");
    expect(existsSync(at("private_key.pem"))).toBe(false);
  });

  test("processes that start at once agree on one pair", async () => {
    const go = at("go");
    const source = JSON.stringify(join(import.meta.dir, "../src/key-files.ts"));
    const program = `import { existsSync } from "node:fs";
      import { KeyFolder } from ${source};
      const folder = new KeyFolder(${JSON.stringify(path)});
      console.log("ready");
      while (!existsSync(${JSON.stringify(go)}));
      folder.makeMissing("ES256");
      console.log(folder.read()[0].key.kid);`;
    const processes = Array.from({ length: 4 }, () => Bun.spawn([process.execPath, "-e", program]));
    const readers = processes.map(({ stdout }) => stdout.getReader());
    for (const reader of readers)
      expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe("ready\n");
    writeFileSync(go, "");
    const said = await Promise.all(
      readers.map(async (reader) => Buffer.from((await reader.read()).value ?? []).toString()),
    );
    expect(new Set(said)).toEqual(new Set([`${folder.read()[0]?.key.kid}\n`]));
    await Promise.all(processes.map(({ exited }) => exited));
    expect(readdirSync(path).toSorted()).toEqual(["go", "private_key.pem", "public_key.pem"]);
  });
});

describe("reading the folder", () => {
  test("other public keys verify, the next key is known before it signs, other files are nobody's business", () => {
    folder.makeMissing("ES256");
    writeFileSync(at("older.pem"), otherPair().publicKey);
    writeFileSync(at("next_private_key.pem"), otherPair().privateKey, { mode: 0o600 });
    writeFileSync(at("README"), "not a key");
    expect(uses()).toEqual(["private_key.pem signs", "next_private_key.pem next", "older.pem verifies"]);
    expect(folder.read().map(({ key }) => key.sign !== undefined)).toEqual([true, false, false]);
  });

  test("without a key to sign with there is one line, which says what to do", () => {
    expect(refusal()).toBe(
      `there is no private_key.pem in ${path} (KEYS_DIR): make the keys with \`latchkey keys generate\``,
    );
    rmSync(path, { recursive: true });
    expect(refusal()).toContain("latchkey keys generate");
    folder.makeMissing("ES256");
    expect(refusal()).toBe("accepted");
  });

  test("two halves of different pairs are refused", () => {
    folder.makeMissing("ES256");
    writeFileSync(at("public_key.pem"), otherPair().publicKey);
    const words = "public_key.pem is not the public half of private_key.pem";
    expect(refusal()).toContain(words);
    for (const file of ["old.pem", "older.pem"]) writeFileSync(at(file), otherPair().publicKey);
    expect(refusal()).toContain(words);
  });

  test("a rotation that was cut off leaves a folder that can be used", () => {
    folder.makeMissing("ES256");
    copyFileSync(at("public_key.pem"), at("retired.pem"));
    writeFileSync(at("private_key.pem"), otherPair().privateKey);
    expect(uses()).toEqual(["private_key.pem signs", "public_key.pem verifies"]);
  });

  test("a private key under any other name, a certificate, a damaged or a weak key: each is named", () => {
    folder.makeMissing("ES256");
    const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey;
    const mistakes = {
      [otherPair().privateKey]: "expected a PEM of PUBLIC KEY",
      "-----BEGIN CERTIFICATE-----": "this is CERTIFICATE",
      "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----": "damaged",
      [weak.export({ type: "spki", format: "pem" }).toString()]: "2048 to 8192 bits",
      "": "not a PEM file",
    };
    for (const [pem, words] of Object.entries(mistakes)) {
      writeFileSync(at("other.pem"), pem);
      expect(refusal()).toStartWith(at("other.pem"));
      expect(refusal()).toContain(words);
      expect(refusal()).not.toContain("\n");
    }
  });

  test("what cannot be read is told with the system's word for it", () => {
    folder.makeMissing("ES256");
    renameSync(at("private_key.pem"), at("kept"));
    symlinkSync(at("private_key.pem"), at("private_key.pem"));
    const words = `cannot read ${at("private_key.pem")} (ELOOP): see KEYS_DIR`;
    expect(refusal()).toBe(words);
    expect(() => folder.stamp()).toThrow(new KeysRefused(words));
  });

  test("a private key that everybody may read is noticed", () => {
    folder.makeMissing("ES256");
    chmodSync(at("private_key.pem"), 0o644);
    expect(folder.read()[0]?.isReadableByAll).toBe(true);
  });

  test("the stamp changes with the files", () => {
    folder.makeMissing("ES256");
    const before = folder.stamp();
    expect(folder.stamp()).toBe(before);
    writeFileSync(at("older.pem"), otherPair().publicKey);
    expect(folder.stamp()).not.toBe(before);
    rmSync(at("older.pem"));
    expect(folder.stamp()).toBe(before);
    // Who may read a file is all that changes where one that could not be read is put right.
    chmodSync(at("private_key.pem"), 0o640);
    expect(folder.stamp()).not.toBe(before);
  });
});

describe("rotation", () => {
  beforeEach(() => folder.makeMissing("ES256"));
  const kids = () => new Map(folder.read().map(({ key, use }) => [use, key.kid]));

  test("the old key verifies from then on, the new one signs, and the pair is a pair", () => {
    const [old] = folder.read();
    folder.rotate(null);
    expect(uses()).toEqual(["private_key.pem signs", `retired-${old?.key.kid.slice(0, 16)}.pem verifies`]);
    expect(kids().get("verifies")).toBe(old?.key.kid);
    expect(kids().get("signs")).not.toBe(old?.key.kid);
    expect(modeOf("private_key.pem")).toBe(0o600);
    const half = publicKey(readFileSync(at("public_key.pem"), "utf8"));
    expect(half.kid).toBe(kids().get("signs") ?? "");
    expect(readdirSync(path).filter((file) => !file.endsWith(".pem"))).toEqual([]);
  });

  test("several at one moment: each that succeeds keeps what signed before it, and the others say why they do not", async () => {
    const known = new Set(folder.read().map(({ key }) => key.kid));
    for (let round = 0; round < 3; round += 1) {
      const children = Array.from({ length: 3 }, () =>
        Bun.spawn([process.execPath, "--no-env-file", MAIN, "keys", "rotate"], {
          env: { KEYS_DIR: path, ENVIRONMENT: "test" },
          stdout: "ignore",
          stderr: "pipe",
        }),
      );
      const refused: string[] = [];
      for (const child of children) {
        const told = await child.stderr.text();
        if ((await child.exited) !== 0) refused.push(told);
      }
      for (const told of refused) expect(told).toContain("another command is changing the keys");
      const kids = folder.read().map(({ key }) => key.kid);
      expect(kids).toEqual(expect.arrayContaining([...known]));
      expect(kids).toHaveLength(known.size + children.length - refused.length);
      for (const kid of kids) known.add(kid);
    }
  });

  test("a lock that a command left when it died holds nobody up for ever", () => {
    const lock = at(LOCK);
    writeFileSync(lock, "");
    expect(() => folder.rotate(null)).toThrow("another command is changing the keys");
    utimesSync(lock, 0, 0);
    folder.rotate(null);
    expect(existsSync(lock)).toBe(false);
  });

  test("the announced key is the one that is rotated to", () => {
    folder.announce("EdDSA");
    expect(modeOf("next_private_key.pem")).toBe(0o600);
    const announced = kids().get("next");
    expect(() => folder.announce("EdDSA")).toThrow("there already");
    expect(() => folder.rotate("ES256")).toThrow("is a key for EdDSA, not ES256");
    folder.rotate(null);
    expect(kids().get("signs")).toBe(announced ?? "");
    expect(kids().has("next")).toBe(false);
  });

  test("wherever a rotation is cut off, some key signs and the old one verifies; the next rotation mends it", () => {
    const [old] = folder.read();
    folder.rotate(null);
    // As it stands after each step but the last: the old half is kept; the private key is replaced.
    writeFileSync(at("public_key.pem"), readFileSync(at(`retired-${old?.key.kid.slice(0, 16)}.pem`)));
    expect(folder.read().map(({ key }) => key.kid)).toContain(old?.key.kid ?? "");
    expect(kids().get("signs")).not.toBe(old?.key.kid);
    folder.rotate(null);
    expect(folder.read()).toHaveLength(3);
    expect(publicKey(readFileSync(at("public_key.pem"), "utf8")).kid).toBe(kids().get("signs") ?? "");
  });

  test("a retired key is gone, the half that a cut-off rotation left behind too; the one that signs stays", () => {
    const [old] = folder.read();
    const oldKid = old?.key.kid ?? "";
    folder.rotate(null);
    writeFileSync(at("public_key.pem"), readFileSync(at(`retired-${oldKid.slice(0, 16)}.pem`)));
    expect(() => folder.retire(kids().get("signs") ?? "")).toThrow("signs new tokens");
    expect(() => folder.retire("unheard-of")).toThrow("there is no key unheard-of");
    folder.retire(oldKid);
    expect(uses()).toEqual(["private_key.pem signs"]);
    expect(publicKey(readFileSync(at("public_key.pem"), "utf8")).kid).toBe(kids().get("signs") ?? "");
  });

  test("generating never overwrites", () => {
    const before = readFileSync(at("private_key.pem"), "utf8");
    expect(() => folder.generate("ES256")).toThrow("private_key.pem is there already");
    rmSync(at("private_key.pem"));
    expect(() => folder.generate("ES256")).toThrow("public_key.pem is there already");
    rmSync(at("public_key.pem"));
    folder.generate("ES256");
    expect(readFileSync(at("private_key.pem"), "utf8")).not.toBe(before);
  });
});

describe("the keys of a running program", () => {
  beforeEach(() => folder.makeMissing("ES256"));

  function liveKeys(signsWith: Algorithm = "ES256", lookEveryMs?: number) {
    const told: string[] = [];
    const tell = (event: string, fields: object = {}) => void told.push(`${event} ${JSON.stringify(fields)}`);
    const log: Log = { ...silentLog, info: tell, warning: tell, error: tell };
    const parts = { folder, secretKeys: [], signsWith, log };
    const keys = new LiveKeys(lookEveryMs === undefined ? parts : { ...parts, lookEveryMs });
    const toldOf = (event: string) => told.filter((line) => line.startsWith(event));
    return { keys, toldOf };
  }

  test("are read when they are first needed and when the folder has changed, and not else", () => {
    const { keys, toldOf } = liveKeys();
    for (let looks = 0; looks < 3; looks += 1) keys.refresh();
    expect(keys.keyring.verifier("unheard-of")).toBeUndefined();
    expect(toldOf("keys.read ")).toHaveLength(1);
    folder.rotate(null);
    for (let looks = 0; looks < 3; looks += 1) keys.refresh();
    expect(toldOf("keys.read ")).toHaveLength(2);
    expect(keys.keyring.generation).toBe(1);
  });

  test("follow a rotation by themselves", async () => {
    const { keys } = liveKeys("ES256", 10);
    const before = keys.keyring.signer("ES256").kid;
    keys.start();
    folder.rotate(null);
    await eventually(() => expect(keys.keyring.signer("ES256").kid).not.toBe(before));
    keys.stop();
  });

  test("S36 are looked at again after a look that threw, which is told", async () => {
    const { keys, toldOf } = liveKeys("ES256", 10);
    const before = keys.keyring.signer("ES256").kid;
    const throwing = () => {
      throw new Error("a mistake of ours");
    };
    Object.assign(folder, { stamp: throwing });
    keys.start();
    await eventually(() => expect(toldOf("keys.look_failed")).not.toBeEmpty());
    Reflect.deleteProperty(folder, "stamp");
    folder.rotate(null);
    await eventually(() => expect(keys.keyring.signer("ES256").kid).not.toBe(before));
    keys.stop();
  });

  test("that everybody can read are told of by their file, the public ones not", () => {
    folder.announce("ES256");
    folder.rotate(null);
    folder.announce("ES256");
    for (const file of readdirSync(path)) chmodSync(at(file), 0o644);
    expect(liveKeys().toldOf("keys.readable_by_all")).toEqual([
      'keys.readable_by_all {"file":"private_key.pem"}',
      'keys.readable_by_all {"file":"next_private_key.pem"}',
    ]);
    for (const file of readdirSync(path)) chmodSync(at(file), 0o640);
    expect(liveKeys().toldOf("keys.readable_by_all")).toEqual([]);
  });

  test("that are refused are told once, until they have been good again", () => {
    const { keys, toldOf } = liveKeys();
    const good = readFileSync(at("private_key.pem"));
    const spoil = () => rmSync(at("private_key.pem"));
    spoil();
    keys.refresh();
    writeFileSync(at("older.pem"), otherPair().publicKey);
    keys.refresh();
    expect(toldOf("keys.refused")).toHaveLength(1);
    writeFileSync(at("private_key.pem"), good);
    keys.refresh();
    spoil();
    keys.refresh();
    expect(toldOf("keys.refused")).toHaveLength(2);
  });

  test("need not sign with what they are for where a secret does that", () => {
    expect(() => liveKeys("HS256")).not.toThrow();
    expect(() => liveKeys("EdDSA")).toThrow("JWT_ALGORITHM=ES256");
  });
});
