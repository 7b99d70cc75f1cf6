/**
 * A small loader: so many connections, one request at a time on each, for so long. It runs as a process of its own
 * and prints one line of JSON, so that it takes no time from the server it measures.
 *
 *     bun bench/load.ts PORT CONNECTIONS SECONDS [PER_SECOND] < requests.json
 *
 * Standard input holds an array of whole HTTP requests; each connection goes through them from a place of its own.
 * With PER_SECOND requests are due at even times, and their time is counted from when they were due: a server that
 * stalls pays for all that it kept waiting.
 */
export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly failures: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

interface Lane {
  next: number;
  dueAtMs: number;
  sentAtMs: number;
  buffered: Buffer;
}

const HEAD_END = Buffer.from("\r\n\r\n");

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** The length of the first whole response in the buffer; null where it is not there yet. */
function responseLength(buffer: Buffer): number | null {
  const headEnd = buffer.indexOf(HEAD_END);
  if (headEnd === -1) return null;
  const head = buffer.toString("latin1", 0, headEnd);
  const length = headEnd + HEAD_END.length + Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
  return buffer.length >= length ? length : null;
}

async function load(
  port: number,
  connections: number,
  seconds: number,
  requests: readonly Buffer[],
  perSecond: number | null,
): Promise<LoadResult> {
  const intervalMs = perSecond === null ? 0 : (connections * 1_000) / perSecond;
  const latenciesMs: number[] = [];
  let failures = 0;
  let open = connections;
  const startedAtMs = performance.now();
  const endsAtMs = startedAtMs + seconds * 1_000;
  const finished = Promise.withResolvers<void>();

  const send = (socket: Bun.Socket<Lane>) => {
    const lane = socket.data;
    const request = requests[lane.next % requests.length];
    if (request === undefined) throw new Error("there are no requests to send");
    lane.next += 1;
    lane.sentAtMs = perSecond === null ? performance.now() : lane.dueAtMs;
    socket.write(request);
  };
  const sendWhenDue = (socket: Bun.Socket<Lane>) => {
    const waitMs = socket.data.dueAtMs - performance.now();
    if (waitMs > 0) setTimeout(() => send(socket), waitMs);
    else send(socket);
  };

  for (let connection = 0; connection < connections; connection += 1) {
    await Bun.connect<Lane>({
      hostname: "127.0.0.1",
      port,
      socket: {
        open: sendWhenDue,
        data(socket, chunk) {
          const lane = socket.data;
          lane.buffered = lane.buffered.length === 0 ? chunk : Buffer.concat([lane.buffered, chunk]);
          const length = responseLength(lane.buffered);
          if (length === null) return;
          const now = performance.now();
          latenciesMs.push(now - lane.sentAtMs);
          // `HTTP/1.1 2`: what is no success is counted, so that errors cannot pass for speed.
          if (lane.buffered[9] !== 0x32) failures += 1;
          lane.buffered = lane.buffered.subarray(length);
          lane.dueAtMs += intervalMs;
          if (Math.max(now, lane.dueAtMs) < endsAtMs) sendWhenDue(socket);
          else socket.end();
        },
        close() {
          open -= 1;
          if (open === 0) finished.resolve();
        },
      },
      data: {
        next: Math.floor((connection * requests.length) / connections),
        dueAtMs: startedAtMs + (connection * intervalMs) / connections,
        sentAtMs: 0,
        buffered: Buffer.alloc(0),
      },
    });
  }
  await finished.promise;
  const elapsedSeconds = (performance.now() - startedAtMs) / 1_000;
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  return {
    requests: sorted.length,
    seconds: elapsedSeconds,
    failures,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
  };
}

if (import.meta.main) {
  const [port, connections, seconds, perSecond = null] = Bun.argv.slice(2).map(Number);
  if (port === undefined || connections === undefined || seconds === undefined) {
    throw new Error("usage: bun bench/load.ts PORT CONNECTIONS SECONDS [PER_SECOND] < requests.json");
  }
  const requests: readonly string[] = await Bun.stdin.json();
  console.log(
    JSON.stringify(
      await load(
        port,
        connections,
        seconds,
        requests.map((text) => Buffer.from(text)),
        perSecond,
      ),
    ),
  );
}
