/**
 * The bare server on PostgreSQL: the same work as `server.ts`, through the same `Bun.SQL` that the product uses.
 *
 *     PORT=8001 DATABASE=postgres://…/app SECRET=… bun bench/limit/postgres.ts
 */
import { claimsOf, pathOf, view } from "./work.ts";
import type { TodoRow } from "./work.ts";

interface AccountRow {
  readonly id: number | string;
  readonly is_active: boolean;
  readonly credentials_version: number | string;
  readonly deleted_at_ms: number | string | null;
}

const { PORT = "8001", DATABASE = "", SECRET = "" } = process.env;
const sql = new Bun.SQL(DATABASE, { max: 10 });
const claims = claimsOf(SECRET);

async function accountOf(request: Request): Promise<AccountRow | null> {
  const claimed = claims(request);
  if (claimed === null) return null;
  const [account]: AccountRow[] =
    await sql`SELECT id, is_active, credentials_version, deleted_at_ms FROM users WHERE id = ${claimed.user_id}`;
  if (account === undefined || !account.is_active || account.deleted_at_ms !== null) return null;
  return Number(account.credentials_version) === claimed.ver ? account : null;
}

async function answer(request: Request): Promise<Response> {
  const path = pathOf(request);
  if (path === "/health") return new Response("ok");
  const account = await accountOf(request);
  if (account === null) return new Response(null, { status: 401 });
  if (request.method === "POST") {
    const { title, description = null }: { title: string; description?: string | null } = Object(
      await request.json(),
    );
    const [made]: TodoRow[] = await sql`INSERT INTO todos (user_id, title, description, created_at_ms)
      VALUES (${account.id}, ${title}, ${description}, ${Date.now()}) RETURNING *`;
    return made === undefined ? new Response(null, { status: 500 }) : Response.json(view(made));
  }
  const [todo]: TodoRow[] =
    await sql`SELECT * FROM todos WHERE id = ${Number(path.slice("/api/v1/todos/".length))}`;
  return todo !== undefined && Number(todo.user_id) === Number(account.id)
    ? Response.json(view(todo))
    : new Response(null, { status: 404 });
}

Bun.serve({ port: Number(PORT), hostname: "127.0.0.1", reusePort: false, fetch: answer });
