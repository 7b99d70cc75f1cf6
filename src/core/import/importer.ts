import type { Realm } from "../accounts.ts";
import { OPERATOR } from "../actor.ts";
import type { AuditEntry } from "../audit.ts";
import type { Clock } from "../clock.ts";
import { Fault } from "../fault.ts";
import type { Reads, Store, Writes } from "../store.ts";
import { leftOut } from "./findings.ts";
import type { Finding } from "./findings.ts";
import { columnOf, TARGET_TABLE } from "./mapping.ts";
import type { Field, ImportNoun } from "./mapping.ts";
import type { ImportPlan, PlannedTable } from "./plan.ts";
import type { KnownTable, Placed } from "./ports.ts";
import { readAccount, readOwned } from "./rows.ts";
import { ForeseenNames, settleAccounts, settleOwned } from "./settling.ts";
import type { Settling, Unplaced } from "./settling.ts";
import type { Source, SourceRow } from "./source.ts";

export interface ImportRun {
  /** False looks at every row, and writes nothing. */
  readonly applies: boolean;
  /** Asked between batches. */
  isStopped(): boolean;
  /**
   * Told of a batch within its write, before it is kept: where this fails, none of it is taken. Told anew where the write
   * is tried again.
   */
  beforeKept(findings: readonly Finding[]): void;
  /** Once its batch is kept, or where nothing is to be. */
  onFinding(finding: Finding): void;
  onProgress(table: PlannedTable, rows: number): void;
  /** Awaited after each write, so that a server on the same database gets its turn. */
  betweenWrites(): Promise<void>;
}

/** What became of one table's rows, or would. */
export interface TableTally {
  readonly table: string;
  readonly noun: ImportNoun;
  readonly taken: number;
  /** Taken by an earlier run. */
  readonly known: number;
  readonly leftOut: number;
}

interface Outcome {
  readonly taken: number;
  readonly known: number;
  readonly findings: readonly Finding[];
  /** Counts the rows as taken, where they are not. */
  foresee(): void;
}

/** Settles a batch and, with a transaction, keeps it. */
type Take = (
  rows: readonly SourceRow[],
  known: KnownTable,
  reads: Reads,
  tx: Writes | null,
) => Promise<Outcome>;

const ATTEMPTS = 3;

/** Takes the rows of another backend's database, some at a time. A second run goes on where one was ended. */
export class Importer {
  readonly #source: Source;
  /** By which this database knows the source. */
  readonly #name: string;
  readonly #store: Store;
  readonly #clock: Clock;
  /** The table that owners are found in, and those that a plan has counted as taken. */
  #users: KnownTable | null = null;
  readonly #foreseenUsers = new Set<string>();

  constructor(parts: { source: Source; name: string; store: Store; clock: Clock }) {
    this.#source = parts.source;
    this.#name = parts.name;
    this.#store = parts.store;
    this.#clock = parts.clock;
  }

  /** Answers a tally for each table that was begun. */
  async run(plan: ImportPlan, run: ImportRun): Promise<readonly TableTally[]> {
    const tables = plan.leftOut.map(({ table, why }) => leftOut(table, null, "table_not_taken", why));
    run.beforeKept(tables);
    for (const finding of tables) run.onFinding(finding);
    if (run.applies) await this.#record("import.started", { source: this.#name, backend: plan.backend });
    const tallies: TableTally[] = [];
    for (const table of plan.tables) {
      if (!run.isStopped()) tallies.push(await this.#takeTable(table, run));
    }
    if (run.applies) await this.#record("import.finished", summary(this.#name, tallies, run.isStopped()));
    return tallies;
  }

  async #takeTable(planned: PlannedTable, run: ImportRun): Promise<TableTally> {
    const { mapping } = planned;
    const known = await this.#begin(planned, run.applies);
    if (mapping.noun === "user") this.#users = known;
    const take = this.#taking(planned);
    const tally = { table: mapping.table, noun: mapping.noun, taken: 0, known: 0, leftOut: 0 };
    const columns = mapping.columns.map(({ from }) => from);
    const order = orderOf(planned).flatMap((field) => columnOf(mapping, field) ?? []);
    let seen = 0;
    for await (const rows of this.#source.rows(mapping.table, columns, order)) {
      if (run.isStopped()) break;
      const settle = async (reads: Reads, tx: Writes | null) => {
        const settled = await take(rows, known, reads, tx);
        run.beforeKept(settled.findings);
        return settled;
      };
      const outcome = run.applies
        ? await this.#keep(known, (tx) => settle(tx, tx))
        : await settle(this.#store.read, null);
      if (!run.applies) outcome.foresee();
      for (const finding of outcome.findings) run.onFinding(finding);
      tally.taken += outcome.taken;
      tally.known += outcome.known;
      tally.leftOut += rows.length - outcome.taken - outcome.known;
      seen += rows.length;
      run.onProgress(planned, seen);
      if (run.applies && outcome.taken > 0) await run.betweenWrites();
    }
    return tally;
  }

  #begin({ mapping: { table, noun }, highestId }: PlannedTable, applies: boolean): Promise<KnownTable> {
    if (!applies) return this.#store.read.imports.table(this.#name, table, noun);
    const nowMs = this.#clock.nowMs();
    return this.#store.write((tx) => tx.imports.begin(this.#name, table, noun, highestId ?? 0, nowMs));
  }

  /** Somebody may register between the look and the insert: then they were first, and the batch is looked at anew. */
  async #keep<T>({ id }: KnownTable, work: (tx: Writes) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#store.write(async (tx) => {
          if (id !== null) await tx.imports.lock(id);
          return work(tx);
        });
      } catch (error) {
        if (!Fault.is(error, "conflict") || attempt === ATTEMPTS) throw error;
      }
    }
  }

  #taking(planned: PlannedTable): Take {
    const { noun } = planned.mapping;
    return noun === "user" || noun === "admin"
      ? this.#takingAccounts(planned, noun)
      : this.#takingOwned(planned, noun);
  }

  #takingAccounts(planned: PlannedTable, realm: Realm): Take {
    const { mapping } = planned;
    const names = new ForeseenNames();
    return async (rows, known, reads, tx) => {
      const atMs = this.#clock.nowMs();
      const readings = rows.map((row) => readAccount(realm, mapping, row, atMs));
      const settling = settlingOf(planned, known, reads);
      const { taken, ...settled } = await settleAccounts(settling, realm, readings, names);
      if (tx !== null) {
        await keepRows(tx, known, realm, taken, (placed) => tx.imports.insertAccounts(realm, placed, atMs));
      }
      const foresee = () => {
        for (const account of taken) {
          names.add(account);
          if (realm === "user") this.#foreseenUsers.add(account.key);
        }
      };
      return { ...settled, taken: taken.length, foresee };
    };
  }

  #takingOwned(planned: PlannedTable, noun: "todo" | "item"): Take {
    const { mapping } = planned;
    return async (rows, known, reads, tx) => {
      const atMs = this.#clock.nowMs();
      const readings = rows.map((row) => readOwned(mapping, row, atMs));
      const settling = settlingOf(planned, known, reads);
      const { taken, ...settled } = await settleOwned(settling, noun, readings, (keys) =>
        this.#accountsOf(reads, keys),
      );
      if (tx !== null) {
        await keepRows(tx, known, noun, taken, (placed) => tx.imports.insertOwned(noun, placed));
      }
      return { ...settled, taken: taken.length, foresee: () => {} };
    };
  }

  async #accountsOf(reads: Reads, keys: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const id = this.#users?.id ?? null;
    const taken = id === null ? [] : [...(await reads.imports.taken(id, keys))];
    // One that was purged here since is known, and is no owner any more.
    const here = await reads.imports.idsInUse(
      "user",
      taken.map(([, account]) => account),
    );
    const foreseen = keys.filter((key) => this.#foreseenUsers.has(key));
    return new Map([
      ...foreseen.map((key) => [key, 0] as const),
      ...taken.filter(([, account]) => here.has(account)),
    ]);
  }

  #record(event: AuditEntry["event"], detail: NonNullable<AuditEntry["detail"]>): Promise<void> {
    const entry = { event, atMs: this.#clock.nowMs(), by: OPERATOR, subject: null, detail };
    return this.#store.write(async (tx) => tx.audit.record(entry));
  }
}

/** What belongs to one account lies together in every index, and so is inserted several times faster together. */
function orderOf({ highestId }: PlannedTable): readonly Field[] {
  return highestId === null ? ["owner", "createdAt", "id"] : ["owner", "id"];
}

function settlingOf({ mapping, highestId }: PlannedTable, known: KnownTable, reads: Reads): Settling {
  return { reads: reads.imports, table: mapping.table, known, keepsIdsUpTo: highestId };
}

/** Inserts the rows under their ids and notes where they went, in one and the same write. */
async function keepRows<Draft>(
  { imports }: Writes,
  known: KnownTable,
  noun: ImportNoun,
  taken: readonly Unplaced<Draft>[],
  insert: (placed: readonly Placed<Draft>[]) => Promise<void>,
): Promise<void> {
  if (known.id === null) throw new Error(`the import into ${TARGET_TABLE[noun]} was never begun`);
  if (taken.length === 0) return;
  const lacking = taken.filter(({ id }) => id === null).length;
  const fresh = lacking === 0 ? [] : [...(await imports.newIds(noun, lacking))];
  const placed = taken.map((row) => ({ ...row, id: row.id ?? nextOf(fresh) }));
  await insert(placed);
  await imports.note(known.id, placed);
}

function nextOf(ids: number[]): number {
  const id = ids.shift();
  if (id === undefined) throw new Error("fewer new ids came than were asked for");
  return id;
}

function summary(source: string, tallies: readonly TableTally[], isStopped: boolean) {
  const counts = tallies.flatMap(({ table, taken, leftOut: left }) => [
    [table, taken] as const,
    [`${table}_left_out`, left] as const,
  ]);
  return { source, ended: isStopped ? "by a signal" : "whole", ...Object.fromEntries(counts) };
}
