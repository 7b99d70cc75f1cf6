import type { Hasher } from "../core/passwords.ts";
import { spanKinds } from "./otlp.ts";
import type { Step, Tracer } from "./tracer.ts";

const hash = stepNamed("password hash");
const verify = stepNamed("password verify");

/** Within one of the two above: before it begins, the password waits for its turn. */
export const hashingStep = stepNamed("password hashing");

/** The same hasher, each of whose passwords is a step, the wait for its turn included. */
export function tracedHasher(hasher: Hasher, tracer: Tracer): Hasher {
  return {
    hash: (password) => tracer.step(hash, () => hasher.hash(password)),
    verify: (password, storedHash) => tracer.step(verify, () => hasher.verify(password, storedHash)),
    refuseIfFull: () => hasher.refuseIfFull(),
    running: () => hasher.running(),
    queued: () => hasher.queued(),
  };
}

function stepNamed(name: string): Step {
  return { name, kind: spanKinds.internal, attributes: [] };
}
