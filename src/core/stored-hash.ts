/** What a stored password hash says about how it was made. */
export type StoredHash = Argon2Hash | BcryptHash;

export interface Argon2Hash {
  readonly scheme: "argon2id" | "argon2i" | "argon2d";
  readonly text: string;
  readonly memoryKib: number;
  readonly passes: number;
}

export interface BcryptHash {
  readonly scheme: "bcrypt";
  readonly text: string;
}

// Version 19 only: Bun refuses 16, and takes a hash without a version, which means 16, for one of version 19.
const ARGON2 =
  /^\$argon2(?:id|i|d)\$v=19\$m=(?<memory>\d{1,10}),t=(?<passes>\d{1,10}),p=\d{1,3}\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+$/;
const BCRYPT = /^\$2[aby]\$(?<cost>\d\d)\$[./A-Za-z0-9]{53}$/;

/** A hash that takes more than this would stop every login behind it: it is damaged, or was put there for that. */
const MAX_MEMORY_KIB = 1_048_576;
const MAX_MEMORY_KIB_PASSES = 4 * MAX_MEMORY_KIB;
const MAX_BCRYPT_COST = 16;

/** Null where the text is no hash that this program verifies. */
export function readStoredHash(text: string): StoredHash | null {
  if (text.startsWith("$argon2")) return readArgon2(text);
  const cost = BCRYPT.exec(text)?.groups?.["cost"];
  if (cost === undefined || Number(cost) > MAX_BCRYPT_COST) return null;
  return { scheme: "bcrypt", text };
}

function readArgon2(text: string): Argon2Hash | null {
  const parts = ARGON2.exec(text)?.groups;
  if (parts === undefined) return null;
  const memoryKib = Number(parts["memory"]);
  const passes = Number(parts["passes"]);
  if (memoryKib > MAX_MEMORY_KIB || memoryKib * passes > MAX_MEMORY_KIB_PASSES) return null;
  return { scheme: schemeOf(text), text, memoryKib, passes };
}

function schemeOf(text: string): Argon2Hash["scheme"] {
  if (text.startsWith("$argon2id$")) return "argon2id";
  return text.startsWith("$argon2i$") ? "argon2i" : "argon2d";
}
