import type {
  NewSession,
  NewRefreshToken,
  NewTodo,
  SessionWrites,
  TodoWrites,
} from "../../src/core/store.ts";
import type { RefreshToken, Session } from "../../src/core/sessions.ts";
import type { Todo } from "../../src/core/todos.ts";

type ModelledTodos = Pick<TodoWrites, "byId" | "ofAccount" | "insert" | "update" | "delete">;
type ModelledSessions = Omit<
  SessionWrites,
  "byId" | "countOpen" | "endedBefore" | "expiredBefore" | "deleteUsedTokens" | "deleteWithoutUsed"
>;

/** What a transaction sees of the tables that are modelled. */
export interface Tables {
  readonly todos: ModelledTodos;
  readonly sessions: ModelledSessions;
}

interface StoredToken extends RefreshToken {
  readonly hash: string;
}

/** The ports as plainly as they can be said: maps in memory, kept whole or put back. */
export class Model implements Tables {
  #todos = new Map<number, Todo>();
  #sessions = new Map<number, Session>();
  #tokens = new Map<number, StoredToken>();
  #lastId = 0;

  async write<T>(work: (tables: Tables) => Promise<T>): Promise<T> {
    const before = [new Map(this.#todos), new Map(this.#sessions), new Map(this.#tokens)] as const;
    try {
      return await work(this);
    } catch (error) {
      [this.#todos, this.#sessions, this.#tokens] = before;
      throw error;
    }
  }

  readonly todos: ModelledTodos = {
    byId: async (id) => this.#todos.get(id) ?? null,
    ofAccount: async (accountId, { completed, limit, offset }) =>
      [...this.#todos.values()]
        .filter(
          (todo) => todo.accountId === accountId && (completed === null || todo.completed === completed),
        )
        // Of one moment they stay in the order of their ids.
        .toSorted((a, b) => a.createdAtMs - b.createdAtMs)
        .slice(offset, limit === null ? undefined : offset + limit),
    insert: async (given: NewTodo) => {
      const todo: Todo = { ...given, id: this.#nextId(), completed: false, updatedAtMs: null, version: 1 };
      this.#todos.set(todo.id, todo);
      return todo;
    },
    update: async (id, change, nowMs) => {
      const todo = this.#todos.get(id);
      if (todo === undefined) return null;
      const changed = { ...todo, ...change, updatedAtMs: nowMs, version: todo.version + 1 };
      this.#todos.set(id, changed);
      return changed;
    },
    delete: async (id) => this.#todos.delete(id),
  };

  readonly sessions: ModelledSessions = {
    openOf: async (accountId, nowMs) =>
      [...this.#sessions.values()]
        .filter(
          ({ id, accountId: owner, endedAtMs }) =>
            owner === accountId && endedAtMs === null && this.#refreshes(id, nowMs),
        )
        .toReversed(),
    token: async (tokenHash) => {
      const stored = [...this.#tokens.values()].find(({ hash }) => hash === tokenHash.toHex());
      const session = this.#sessions.get(stored?.sessionId ?? 0);
      if (stored === undefined || session === undefined) return null;
      const { hash: _, ...token } = stored;
      return { token, session };
    },
    insert: async (given: NewSession) => {
      const session: Session = {
        ...given,
        id: this.#nextId(),
        lastUsedAtMs: given.createdAtMs,
        endedAtMs: null,
      };
      this.#sessions.set(session.id, session);
      return session;
    },
    insertToken: async ({ sessionId, tokenHash, expiresAtMs }: NewRefreshToken) => {
      const id = this.#nextId();
      this.#tokens.set(id, { id, sessionId, expiresAtMs, usedAtMs: null, hash: tokenHash.toHex() });
    },
    useToken: async (tokenId, nowMs) => {
      const token = this.#tokens.get(tokenId);
      if (token === undefined || token.usedAtMs !== null) return false;
      this.#tokens.set(tokenId, { ...token, usedAtMs: nowMs });
      return true;
    },
    touch: async (sessionId, nowMs) => {
      const session = this.#sessions.get(sessionId);
      if (session !== undefined) this.#sessions.set(sessionId, { ...session, lastUsedAtMs: nowMs });
    },
    end: async (sessionId, nowMs) => {
      const session = this.#sessions.get(sessionId);
      if (session === undefined || session.endedAtMs !== null) return false;
      this.#sessions.set(sessionId, { ...session, endedAtMs: nowMs });
      return true;
    },
    endAll: async (accountId, nowMs, exceptSessionId) => {
      const ending = [...this.#sessions.values()].filter(
        ({ id, accountId: owner, endedAtMs }) =>
          owner === accountId && endedAtMs === null && id !== exceptSessionId,
      );
      for (const session of ending) this.#sessions.set(session.id, { ...session, endedAtMs: nowMs });
      return ending.length;
    },
  };

  #refreshes(sessionId: number, nowMs: number): boolean {
    return [...this.#tokens.values()].some(
      (token) => token.sessionId === sessionId && token.usedAtMs === null && token.expiresAtMs > nowMs,
    );
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }
}
