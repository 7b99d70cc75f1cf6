import { keyValues, spanKinds } from "./otlp.ts";
import type { Step } from "./tracer.ts";

const SYSTEMS = { sqlite: "sqlite", postgres: "postgresql" } as const;

/** The program's texts are few; one that is put together at each call must not fill the memory. */
const MAX_KNOWN = 1_000;

/** How a statement is told: its text, in which every value is a `$1`, and what it does in two words. */
export class Statements {
  readonly system: string;
  readonly #known = new Map<string, Step>();

  constructor(engine: keyof typeof SYSTEMS) {
    this.system = SYSTEMS[engine];
  }

  step(sql: string): Step {
    const known = this.#known.get(sql);
    if (known !== undefined) return known;
    const made = this.#made(sql);
    if (this.#known.size < MAX_KNOWN) this.#known.set(sql, made);
    return made;
  }

  #made(sql: string): Step {
    const text = sql.replace(/\s+/g, " ").trim();
    const operation = (/^[a-z]+/i.exec(text)?.[0] ?? "statement").toUpperCase();
    const table = /\b(?:from|into|update)\s+([a-z_]+)/i.exec(text)?.[1];
    const summary = table === undefined ? operation : `${operation} ${table}`;
    return {
      name: summary,
      kind: spanKinds.client,
      attributes: keyValues({
        "db.system.name": this.system,
        "db.query.summary": summary,
        "db.query.text": text,
        "db.operation.name": operation,
        ...(table === undefined ? {} : { "db.collection.name": table }),
      }),
    };
  }
}
