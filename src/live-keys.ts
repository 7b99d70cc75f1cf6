import { SECOND_MS } from "./core/clock.ts";
import { Keyring } from "./core/keyring.ts";
import type { Algorithm, Key } from "./core/keyring.ts";
import type { Log } from "./core/log.ts";
import { KeysRefused, PRIVATE } from "./key-files.ts";
import type { KeyFile, KeyFolder } from "./key-files.ts";

const LOOK_EVERY_MS = 5 * SECOND_MS;

/**
 * The keys in force while the program runs. The folder is looked at when a token names a key that is not known, so
 * that what another instance has just begun to sign with is good here too, and every few seconds, so that a rotation
 * and a retirement take effect without a restart. A folder that cannot be used leaves the keys as they were.
 */
export class LiveKeys {
  readonly keyring: Keyring;
  readonly #folder: KeyFolder;
  readonly #secretKeys: readonly Key[];
  readonly #signsWith: Algorithm;
  readonly #log: Log;
  readonly #lookEveryMs: number;
  #stamp: string;
  /** What was complained of last, so that a lasting mistake is told once. */
  #refused: string | null = null;
  #timer: ReturnType<typeof setInterval> | null = null;

  /** Fails with `KeysRefused` where the folder holds no key that signs with `signsWith`. */
  constructor(parts: {
    folder: KeyFolder;
    secretKeys: readonly Key[];
    signsWith: Algorithm;
    log: Log;
    lookEveryMs?: number;
  }) {
    this.#folder = parts.folder;
    this.#secretKeys = parts.secretKeys;
    this.#signsWith = parts.signsWith;
    this.#log = parts.log;
    this.#lookEveryMs = parts.lookEveryMs ?? LOOK_EVERY_MS;
    this.#stamp = this.#folder.stamp();
    this.keyring = new Keyring(this.#read(), () => this.#look());
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#refreshInBackground(), this.#lookEveryMs).unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  refresh(): void {
    const keys = this.#look();
    if (keys !== null) this.keyring.replace(keys);
  }

  /** Nobody waits for a timer: what goes wrong in it must end there. */
  #refreshInBackground(): void {
    try {
      this.refresh();
    } catch (error) {
      this.#log.error("keys.look_failed", {}, error);
    }
  }

  /** All keys, where the folder has changed and can be used; else null. */
  #look(): readonly Key[] | null {
    try {
      const stamp = this.#folder.stamp();
      if (stamp === this.#stamp) return null;
      // Taken before the files are read: a change in between is seen at the next look.
      this.#stamp = stamp;
      const keys = this.#read();
      this.#refused = null;
      return keys;
    } catch (error) {
      if (!(error instanceof KeysRefused)) throw error;
      this.#complain(error);
      return null;
    }
  }

  #read(): readonly Key[] {
    const files = this.#folder.read();
    requireSigner(files, this.#signsWith, this.#folder.path);
    for (const { file, use, isReadableByAll } of files) {
      if (use !== "verifies" && isReadableByAll) this.#log.warning("keys.readable_by_all", { file });
    }
    this.#log.info("keys.read", { kids: files.map(({ key, use }) => `${key.kid} ${use}`).join(", ") });
    return [...this.#secretKeys, ...files.map(({ key }) => key)];
  }

  #complain(refusal: KeysRefused): void {
    if (this.#refused === refusal.message) return;
    this.#refused = refusal.message;
    this.#log.error("keys.refused", { why: refusal.message });
  }
}

/** HS256 needs no file. */
function requireSigner(files: readonly KeyFile[], algorithm: Algorithm, path: string): void {
  const signing = files.find(({ use }) => use === "signs");
  if (algorithm === "HS256" || signing === undefined || signing.key.algorithm === algorithm) return;
  const found = signing.key.algorithm;
  throw new KeysRefused(
    `${PRIVATE} in ${path} (KEYS_DIR) signs with ${found}, and tokens are to be signed with ${algorithm}: set JWT_ALGORITHM=${found}, or run \`latchkey keys rotate --algorithm ${algorithm}\``,
  );
}
