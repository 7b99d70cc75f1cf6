import type { Outgoing } from "../storage/s3-files.ts";
import { keyValues, spanKinds } from "./otlp.ts";
import type { Result, Tracer } from "./tracer.ts";

/**
 * Requests to other programs, which are told of the trace. The address stays untold: it is signed, and so as good as
 * a key for as long as it lasts.
 */
export function tracedOutgoing(tracer: Tracer): Outgoing {
  return (method, { protocol, hostname, port }, send) => {
    const attributes = keyValues({
      "http.request.method": method,
      "server.address": hostname,
      "server.port": Number(port) || (protocol === "https:" ? 443 : 80),
    });
    const step = { name: method, kind: spanKinds.client, attributes };
    return tracer.step(step, () => send(tracer.outgoingHeaders()), resultOf);
  };
}

function resultOf({ status }: Response): Result {
  const hasFailed = status >= 400;
  const error = hasFailed ? { "error.type": String(status) } : {};
  return { attributes: keyValues({ "http.response.status_code": status, ...error }), hasFailed };
}
