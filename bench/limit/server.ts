/**
 * As little as a server can do that answers the same questions honestly: it checks the token, reads the account and
 * the row, and writes JSON. No routes to choose among, no limits, no log, no error format. `bench/run.ts` measures
 * the product against it.
 *
 *     PORT=8001 DATABASE=copy-of-app.db SECRET=… bun bench/limit/server.ts
 */
import { Database } from "bun:sqlite";
import { timingSafeEqual } from "node:crypto";

interface AccountRow {
  readonly id: number;
  readonly is_active: number;
  readonly credentials_version: number;
  readonly deleted_at_ms: number | null;
}

interface TodoRow {
  readonly id: number;
  readonly user_id: number;
  readonly title: string;
  readonly description: string | null;
  readonly completed: number;
  readonly created_at_ms: number;
  readonly updated_at_ms: number | null;
}

const { PORT = "8001", DATABASE = "app.db", SECRET = "" } = process.env;
const database = new Database(DATABASE, { strict: true });
database.run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");

const accountById = database.prepare<AccountRow, [number]>(
  "SELECT id, is_active, credentials_version, deleted_at_ms FROM users WHERE id = ?",
);
const todoById = database.prepare<TodoRow, [number]>("SELECT * FROM todos WHERE id = ?");
const todosOf = database.prepare<TodoRow, [number, number]>(
  "SELECT * FROM todos WHERE user_id = ? ORDER BY id LIMIT ?",
);
const insertTodo = database.prepare<TodoRow, [number, string, string | null, number]>(
  "INSERT INTO todos (user_id, title, description, created_at_ms) VALUES (?, ?, ?, ?) RETURNING *",
);

const keyed = new Bun.CryptoHasher("sha256", SECRET);

function accountOf(request: Request): AccountRow | null {
  const token = request.headers.get("authorization")?.slice("Bearer ".length) ?? "";
  const end = token.lastIndexOf(".");
  const expected = keyed.copy().update(token.slice(0, end)).digest();
  const given = Buffer.from(token.slice(end + 1), "base64url");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
  const claims = JSON.parse(Buffer.from(token.slice(token.indexOf(".") + 1, end), "base64url").toString());
  if (claims.exp * 1_000 < Date.now()) return null;
  const account = accountById.get(claims.user_id);
  if (account === null || account.is_active !== 1 || account.deleted_at_ms !== null) return null;
  return account.credentials_version === claims.ver ? account : null;
}

function view(todo: TodoRow) {
  return {
    id: todo.id,
    title: todo.title,
    description: todo.description,
    completed: todo.completed === 1,
    user_id: todo.user_id,
    created_at: new Date(todo.created_at_ms).toISOString(),
    updated_at: todo.updated_at_ms === null ? null : new Date(todo.updated_at_ms).toISOString(),
  };
}

async function answer(request: Request): Promise<Response> {
  const account = accountOf(request);
  if (account === null) return new Response(null, { status: 401 });
  const path = request.url.slice(request.url.indexOf("/", 8));
  if (request.method === "POST") {
    const { title, description = null }: { title: string; description?: string | null } = Object(
      await request.json(),
    );
    const todo = insertTodo.get(account.id, title, description, Date.now());
    return todo === null ? new Response(null, { status: 500 }) : Response.json(view(todo));
  }
  if (path.startsWith("/api/v1/todos?limit=")) {
    return Response.json(
      todosOf.all(account.id, Number(path.slice("/api/v1/todos?limit=".length))).map(view),
    );
  }
  const todo = todoById.get(Number(path.slice("/api/v1/todos/".length)));
  return todo?.user_id === account.id ? Response.json(view(todo)) : new Response(null, { status: 404 });
}

Bun.serve({ port: Number(PORT), hostname: "127.0.0.1", reusePort: false, fetch: answer });
