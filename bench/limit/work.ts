/** What the bare servers have in common: the token's check and the shape of an answer. */
import { timingSafeEqual } from "node:crypto";

export interface TodoRow {
  readonly id: number;
  readonly user_id: number;
  readonly title: string;
  readonly description: string | null;
  readonly completed: number | boolean;
  /** PostgreSQL sends BIGINT as text. */
  readonly created_at_ms: number | string;
  readonly updated_at_ms: number | string | null;
}

interface Claims {
  readonly user_id: number;
  readonly ver: number;
}

/** Reads who a request is from; null where its token is not good. */
export function claimsOf(secret: string): (request: Request) => Claims | null {
  const keyed = new Bun.CryptoHasher("sha256", secret);
  return (request) => {
    const token = request.headers.get("authorization")?.slice("Bearer ".length) ?? "";
    const end = token.lastIndexOf(".");
    const expected = keyed.copy().update(token.slice(0, end)).digest();
    const given = Buffer.from(token.slice(end + 1), "base64url");
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
    const claims = JSON.parse(Buffer.from(token.slice(token.indexOf(".") + 1, end), "base64url").toString());
    return claims.exp * 1_000 < Date.now() ? null : claims;
  };
}

export function pathOf(request: Request): string {
  return request.url.slice(request.url.indexOf("/", 8));
}

export function view(todo: TodoRow) {
  return {
    id: Number(todo.id),
    title: todo.title,
    description: todo.description,
    completed: todo.completed === 1 || todo.completed === true,
    user_id: Number(todo.user_id),
    created_at: new Date(Number(todo.created_at_ms)).toISOString(),
    updated_at: todo.updated_at_ms === null ? null : new Date(Number(todo.updated_at_ms)).toISOString(),
  };
}
