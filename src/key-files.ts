/**
 * The folder of the keys that others can verify tokens with (KEYS_DIR):
 *
 *     private_key.pem         signs, and verifies what it signed
 *     public_key.pem          its public half, for whoever verifies tokens elsewhere
 *     next_private_key.pem    published and verified already, signs from the next rotation on
 *     *.pem                   public keys of the past, which still verify
 *
 * Each file appears whole under its name, and the private key is what counts: its public half is derived from it. So
 * a process that reads while another one writes, or after one that died half-way, always finds a key to sign with.
 */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { KeyError, privateKey, publicKey, publicPem } from "./core/keyring.ts";
import type { AsymmetricAlgorithm, Key } from "./core/keyring.ts";
import { systemCode } from "./core/system-code.ts";

export const PRIVATE = "private_key.pem";
export const PUBLIC = "public_key.pem";
export const NEXT = "next_private_key.pem";
/** Is there while a command changes the folder. */
export const LOCK = "keys.lock";
/** No command takes so long: whoever made a lock that old has died. */
const LOCK_OUTLIVED_MS = 60_000;
const KID_PREFIX_CHARACTERS = 16;
const RSA_BITS = 2048;
const READABLE_BY_ALL = 0o004;

export interface KeyFile {
  readonly file: string;
  readonly use: "signs" | "next" | "verifies";
  readonly key: Key;
  readonly changedAtMs: number;
  readonly isReadableByAll: boolean;
}

/** The folder cannot be used as it is. The message is one line for the operator. */
export class KeysRefused extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "KeysRefused";
  }
}

export class KeyFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Whether there is a key to sign with. */
  isThere(): boolean {
    return this.#read(PRIVATE) !== null;
  }

  /** Every key of the folder, once each, the one that signs first. Fails with `KeysRefused`. */
  read(): readonly KeyFile[] {
    const files = this.#readAll();
    const firstOf = new Map(files.toReversed().map((file) => [file.key.kid, file]));
    return files.filter((file) => firstOf.get(file.key.kid) === file);
  }

  /** All as they were at one moment: a rotation may come between two files, and then the private key is another. */
  #readAll(): readonly KeyFile[] {
    for (;;) {
      const pem = this.#read(PRIVATE);
      const files = this.#readEach();
      if (this.#read(PRIVATE) !== pem) continue;
      this.#requirePair(files);
      return files;
    }
  }

  #readEach(): readonly KeyFile[] {
    const signing = this.#keyFile(PRIVATE, "signs", privateKey);
    if (signing === null) throw this.#missing();
    const next = this.#keyFile(NEXT, "next", (pem) => withoutSigning(privateKey(pem)));
    const others = this.#pemFiles()
      .filter((file) => file !== PRIVATE && file !== NEXT)
      .flatMap((file) => this.#keyFile(file, "verifies", publicKey) ?? []);
    return [signing, ...(next === null ? [] : [next]), ...others];
  }

  /** Changes whenever a file of the folder does, or who may read it; cheap enough to ask for often. */
  stamp(): string {
    return this.#pemFiles()
      .map((file) => {
        const path = join(this.path, file);
        const facts = this.#attempt("read", path, () => statSync(path, { throwIfNoEntry: false }));
        return facts === undefined
          ? file
          : `${file} ${facts.ino} ${facts.size} ${facts.mtimeMs} ${facts.ctimeMs}`;
      })
      .join("\n");
  }

  /** Makes what is missing of the pair. Of several processes that start at once, all end up with the same one. */
  makeMissing(algorithm: AsymmetricAlgorithm): void {
    // Whoever makes a pair writes the private key first: a public one seen before none is a leftover.
    const half = this.#read(PUBLIC);
    if (this.#read(PRIVATE) === null) {
      if (half !== null) throw this.#missing();
      this.#place(PRIVATE, makePrivatePem(algorithm), "unless there");
    }
    if (half === null) this.#writePublicHalf("unless there");
  }

  #writePublicHalf(how: "unless there" | "instead"): void {
    const pem = this.#read(PRIVATE);
    if (pem === null) throw this.#missing();
    const text = this.#understand(PRIVATE, () => publicPem(pem));
    this.#place(PUBLIC, text, how);
  }

  /** Fails with `KeysRefused` where any of the pair is there already: a lost key cannot be had back. */
  generate(algorithm: AsymmetricAlgorithm): void {
    const there = [PRIVATE, PUBLIC].find((file) => this.#read(file) !== null);
    if (there !== undefined) {
      throw new KeysRefused(
        `${join(this.path, there)} is there already and is not overwritten: \`latchkey keys rotate\` makes a new pair and keeps the old one good`,
      );
    }
    this.makeMissing(algorithm);
  }

  /** Makes the key that signs after the next rotation, so that it is known everywhere before it is used. */
  announce(algorithm: AsymmetricAlgorithm): void {
    this.#alone(() => this.#announce(algorithm));
  }

  #announce(algorithm: AsymmetricAlgorithm): void {
    this.read();
    if (this.#read(NEXT) !== null) {
      throw new KeysRefused(
        `${join(this.path, NEXT)} is there already: \`latchkey keys rotate\` puts it in use`,
      );
    }
    this.#place(NEXT, makePrivatePem(algorithm), "unless there");
  }

  /**
   * Signs with the announced key from now on, or with a new one. The old public half is kept first, and the private
   * keys change places in one step: wherever this is cut off, there is a key that signs, and the old one verifies.
   */
  rotate(algorithm: AsymmetricAlgorithm | null): { readonly old: Key; readonly current: Key } {
    return this.#alone(() => {
      const old = this.#rotate(algorithm);
      const [current] = this.#readAll();
      if (current === undefined) throw this.#missing();
      return { old, current: current.key };
    });
  }

  #rotate(algorithm: AsymmetricAlgorithm | null): Key {
    const [old, announced] = this.#readAll().filter(({ use }) => use !== "verifies");
    const oldPem = this.#read(PRIVATE);
    if (old === undefined || oldPem === null) throw this.#missing();
    if (announced !== undefined && algorithm !== null && announced.key.algorithm !== algorithm) {
      throw new KeysRefused(
        `${join(this.path, NEXT)} is a key for ${announced.key.algorithm}, not ${algorithm}: retire it, or rotate to what it is for`,
      );
    }
    this.#place(retiredName(old.key.kid), publicPem(oldPem), "instead");

    if (announced === undefined) {
      this.#place(PRIVATE, makePrivatePem(algorithm ?? fileAlgorithm(old.key)), "instead");
    } else this.#rename(NEXT, PRIVATE);
    this.#writePublicHalf("instead");
    return old.key;
  }

  /** Removes a key that verifies, or the announced one: from then on its tokens are void. Answers its files. */
  retire(kid: string): readonly string[] {
    return this.#alone(() => this.#retire(kid));
  }

  #retire(kid: string): readonly string[] {
    const files = this.#readAll();
    if (files.some(({ key, use }) => use === "signs" && key.kid === kid)) {
      throw new KeysRefused(`${kid} signs new tokens: \`latchkey keys rotate\` first, and retire it then`);
    }
    const doomed = files.filter(({ key }) => key.kid === kid).map(({ file }) => file);
    if (doomed.length === 0) throw new KeysRefused(`there is no key ${kid} in ${this.path}`);
    // First the half that a rotation left behind: alone it would not match the private key.
    if (doomed.includes(PUBLIC)) this.#writePublicHalf("instead");
    const others = doomed.filter((file) => file !== PUBLIC);
    for (const file of others) this.#remove(file);
    return doomed;
  }

  /** Of two rotations at one moment each would keep the same old key, and one lose what the other had begun to sign with. */
  #alone<T>(change: () => T): T {
    if (!this.isThere()) throw this.#missing();
    const path = join(this.path, LOCK);
    this.#attempt("write", path, () => takeLock(path));
    try {
      return change();
    } finally {
      this.#attempt("write", path, () => rmSync(path, { force: true }));
    }
  }

  /**
   * public_key.pem may lag behind for the moment of a rotation, and then holds a key that was retired already.
   * Anything else is two halves of different pairs: tokens would verify here and nowhere else.
   */
  #requirePair([signing, ...others]: readonly KeyFile[]): void {
    const half = others.find(({ file }) => file === PUBLIC);
    if (half === undefined || half.key.kid === signing?.key.kid) return;
    if (others.some(({ file, key }) => file !== PUBLIC && key.kid === half.key.kid)) return;
    throw new KeysRefused(
      `${join(this.path, PUBLIC)} is not the public half of ${PRIVATE}: put the right one there, or rename it (such as old.pem) if its tokens shall still verify`,
    );
  }

  #missing(): KeysRefused {
    return new KeysRefused(
      `there is no ${PRIVATE} in ${this.path} (KEYS_DIR): make the keys with \`latchkey keys generate\``,
    );
  }

  #keyFile(file: string, use: KeyFile["use"], parse: (pem: string) => Key): KeyFile | null {
    const pem = this.#read(file);
    const facts = statSync(join(this.path, file), { throwIfNoEntry: false });
    if (pem === null || facts === undefined) return null;
    return {
      file,
      use,
      key: this.#understand(file, () => parse(pem)),
      changedAtMs: Math.floor(facts.mtimeMs),
      isReadableByAll: (facts.mode & READABLE_BY_ALL) !== 0,
    };
  }

  #understand<T>(file: string, parse: () => T): T {
    try {
      return parse();
    } catch (error) {
      if (!(error instanceof KeyError)) throw error;
      throw new KeysRefused(`${join(this.path, file)} (KEYS_DIR): ${error.message}`, error);
    }
  }

  #pemFiles(): readonly string[] {
    const files = this.#attempt("read", this.path, () => ifThere(() => readdirSync(this.path))) ?? [];
    return files.filter((file) => file.endsWith(".pem")).toSorted();
  }

  #read(file: string): string | null {
    const path = join(this.path, file);
    return this.#attempt("read", path, () => ifThere(() => readFileSync(path, "utf8")));
  }

  /** A file is written under another name first, so that under its own it is never seen half-written. */
  #place(file: string, pem: string, how: "unless there" | "instead"): void {
    const path = join(this.path, file);
    const draft = `${path}.${randomBytes(6).toString("hex")}.draft`;
    this.#attempt("write", path, () => {
      mkdirSync(this.path, { recursive: true });
      try {
        writeDurably(draft, pem, isPrivate(file) ? 0o600 : 0o644);
        if (how === "instead") renameSync(draft, path);
        else linkUnlessThere(draft, path);
      } finally {
        rmSync(draft, { force: true });
      }
      syncFolder(this.path);
    });
  }

  #rename(from: string, to: string): void {
    const path = join(this.path, to);
    this.#attempt("write", path, () => {
      renameSync(join(this.path, from), path);
      syncFolder(this.path);
    });
  }

  #remove(file: string): void {
    const path = join(this.path, file);
    this.#attempt("write", path, () => {
      rmSync(path);
      syncFolder(this.path);
    });
  }

  #attempt<T>(what: "read" | "write", path: string, act: () => T): T {
    try {
      return act();
    } catch (error) {
      const code = systemCode(error);
      if (code === null) throw error;
      throw new KeysRefused(`cannot ${what} ${path} (${code}): see KEYS_DIR`, error);
    }
  }
}

function takeLock(path: string): void {
  const left = statSync(path, { throwIfNoEntry: false });
  if (left !== undefined && Date.now() - left.mtimeMs > LOCK_OUTLIVED_MS) rmSync(path, { force: true });
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
    throw new KeysRefused(`another command is changing the keys: try again once ${path} is gone`, error);
  }
}

function retiredName(kid: string): string {
  return `retired-${kid.slice(0, KID_PREFIX_CHARACTERS)}.pem`;
}

/** What is kept in files is never an HMAC key. */
function fileAlgorithm({ algorithm }: Key): AsymmetricAlgorithm {
  if (algorithm === "RS256" || algorithm === "ES256" || algorithm === "EdDSA") return algorithm;
  throw new KeysRefused(`no key file can hold a key for ${algorithm}`);
}

function isPrivate(file: string): boolean {
  return file === PRIVATE || file === NEXT;
}

function withoutSigning({ kid, algorithm, verify, publicJwk }: Key): Key {
  return { kid, algorithm, verify, ...(publicJwk === undefined ? {} : { publicJwk }) };
}

function makePrivatePem(algorithm: AsymmetricAlgorithm): string {
  return makePair(algorithm).privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

function makePair(algorithm: AsymmetricAlgorithm) {
  switch (algorithm) {
    case "RS256":
      return generateKeyPairSync("rsa", { modulusLength: RSA_BITS });
    case "ES256":
      return generateKeyPairSync("ec", { namedCurve: "P-256" });
    case "EdDSA":
      return generateKeyPairSync("ed25519");
  }
}

function writeDurably(path: string, text: string, mode: number): void {
  const file = openSync(path, "wx", mode);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function linkUnlessThere(draft: string, path: string): void {
  try {
    linkSync(draft, path);
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function ifThere<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (systemCode(error) === "ENOENT") return null;
    throw error;
  }
}
