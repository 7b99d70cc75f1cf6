/**
 * As little as a server can do that answers the same questions honestly: it checks the token, reads the account and
 * the row, and writes JSON. No routes to choose among, no limits, no log, no error format. `bench/run.ts` measures
 * the product against it.
 *
 *     PORT=8001 DATABASE=copy-of-app.db SECRET=… bun bench/limit/server.ts
 */
import { Database } from "bun:sqlite";
import { claimsOf, pathOf, view } from "./work.ts";
import type { TodoRow } from "./work.ts";

interface AccountRow {
  readonly id: number;
  readonly is_active: number;
  readonly credentials_version: number;
  readonly deleted_at_ms: number | null;
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

const hashByEmail = database.prepare<{ readonly password_hash: string }, [string]>(
  "SELECT password_hash FROM users WHERE email = ?",
);
const claims = claimsOf(SECRET);

function accountOf(request: Request): AccountRow | null {
  const claimed = claims(request);
  if (claimed === null) return null;
  const account = accountById.get(claimed.user_id);
  if (account === null || account.is_active !== 1 || account.deleted_at_ms !== null) return null;
  return account.credentials_version === claimed.ver ? account : null;
}

async function logIn(request: Request): Promise<Response> {
  const { email, password }: { email: string; password: string } = Object(await request.json());
  const known = hashByEmail.get(email);
  const isRight = known !== null && (await Bun.password.verify(password, known.password_hash));
  return isRight ? Response.json({ token_type: "bearer" }) : new Response(null, { status: 401 });
}

async function answer(request: Request): Promise<Response> {
  const path = pathOf(request);
  if (path === "/api/v1/users/login") return logIn(request);
  const account = accountOf(request);
  if (account === null) return new Response(null, { status: 401 });
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
