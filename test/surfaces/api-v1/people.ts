import { numberField, textField } from "../../support/client.ts";
import type { TestClient } from "../../support/client.ts";
import type { TestProgram } from "../../support/program.ts";

export const PASSWORD = "password123";

let made = 0;

export function newEmail(): string {
  made += 1;
  return `person${made}@example.com`;
}

export interface Person {
  readonly client: TestClient;
  readonly email: string;
  readonly id: number;
  readonly token: string;
}

/** Registers and logs in, as a client of seed 000 does. */
export async function signUp(
  program: TestProgram,
  { role = "user" }: { role?: "user" | "admin" } = {},
): Promise<Person> {
  const client = program.client();
  const email = newEmail();
  const registered = await client.post("/api/v1/users/register", { email, password: PASSWORD });
  const id = numberField(registered, "id");
  if (role === "admin") {
    await program.database.write((connection) =>
      connection.run("UPDATE users SET role = 'admin' WHERE id = $1", [id]),
    );
  }
  const token = textField(
    await client.post("/api/v1/users/login", { email, password: PASSWORD }),
    "access_token",
  );
  return { client, email, id, token };
}
