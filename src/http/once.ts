import { IDEMPOTENCY_KEY_MAX_CHARACTERS, nothingElse } from "../core/idempotency.ts";
import type { Also, KeptAnswer } from "../core/idempotency.ts";
import { Fault } from "../core/fault.ts";
import type { Exchange } from "./exchange.ts";
import type { Reply } from "./reply.ts";
import type { Part } from "./route.ts";

/**
 * Makes something once, however often a client sends the request under one `Idempotency-Key`. `perform` hands `also`
 * to the core, which runs it in the write that makes the thing; `answer` tells of it, there and then.
 */
export type Once = <T>(
  body: unknown,
  perform: (also: Also<T>) => Promise<T>,
  answer: (result: T) => Reply,
) => Promise<Reply>;

const unnamed: Once = async (_body, perform, answer) => answer(await perform(nothingElse));

const NAME = "Idempotency-Key";
const KEY = new RegExp(`^[\\x21-\\x7e]{1,${IDEMPOTENCY_KEY_MAX_CHARACTERS}}$`);

/** For every route that makes something. Never for one that answers with a token: answers are kept for a day. */
export const once: Part<Once> = {
  kind: "input",
  documents: {
    fails: ["invalid"],
    header: {
      name: NAME,
      description:
        "Names this request, e.g. by a UUID: sent again within 24 hours, it gets the first answer again, marked " +
        "with `Idempotency-Replayed: true`, and nothing is made twice",
    },
    sends: { "Idempotency-Replayed": "`true` where this is an earlier answer again" },
  },
  read(exchange) {
    const key = exchange.header(NAME);
    if (key === null) return unnamed;
    if (!KEY.test(key)) {
      const wanted = `Input should be 1 to ${IDEMPOTENCY_KEY_MAX_CHARACTERS} visible ASCII characters`;
      throw Fault.invalid("header", NAME, wanted);
    }
    return (body, perform, answer) => performOnce(exchange, key, body, perform, answer);
  },
};

async function performOnce<T>(
  exchange: Exchange,
  key: string,
  body: unknown,
  perform: (also: Also<T>) => Promise<T>,
  answer: (result: T) => Reply,
): Promise<Reply> {
  const operation = `${exchange.request.method} ${exchange.path.replace(/\/+$/, "")}`;
  const request = { key, operation, body, ...exchange.owner };
  const outcome = await exchange.idempotency.once(request, perform, (result) => kept(answer(result)));
  return reply(outcome.answer, outcome.isReplayed);
}

function kept({ status, body, content, headers = {}, cookies }: Reply): KeptAnswer {
  if (content !== undefined || cookies !== undefined) {
    throw new Error("an answer that is no JSON, or that sets a cookie, cannot be kept");
  }
  return { status, headers, body: body === undefined ? null : JSON.stringify(body) };
}

/** Word for word what was kept, the first time too: so that the two cannot differ. */
function reply({ status, headers, body }: KeptAnswer, isReplayed: boolean): Reply {
  return {
    status,
    ...(body === null ? {} : { content: body }),
    headers: {
      ...(body === null ? {} : { "content-type": "application/json" }),
      ...headers,
      ...(isReplayed ? { "idempotency-replayed": "true" } : {}),
    },
  };
}
