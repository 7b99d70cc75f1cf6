import { connect } from "node:net";
import type { Socket } from "node:net";

/** One TCP connection, to say what no HTTP client would. */
export interface Wire {
  send(bytes: string | Uint8Array): void;
  /** All that has come back by now, a byte a character. */
  received(): string;
  /** Fulfils once `text` has come back; fails where the connection ends before that. */
  heard(text: string): Promise<void>;
  readonly closed: Promise<void>;
  isOpen(): boolean;
  end(): void;
}

export async function openWire(url: string): Promise<Wire> {
  const socket = await opened(url);
  let received = "";
  let isOpen = true;
  let moved = Promise.withResolvers<void>();
  const wake = () => {
    moved.resolve();
    moved = Promise.withResolvers();
  };
  const { promise: closed, resolve: noteClosed } = Promise.withResolvers<void>();
  socket.on("data", (bytes: Buffer) => {
    received += bytes.toString("latin1");
    wake();
  });
  const onEnd = () => {
    isOpen = false;
    noteClosed();
    wake();
  };
  // A server that dies ends the connection, and the second does not always follow.
  socket.on("end", onEnd);
  socket.on("close", onEnd);
  return {
    send(bytes) {
      if (isOpen) socket.write(bytes);
    },
    received: () => received,
    async heard(text) {
      while (!received.includes(text)) {
        if (!isOpen) throw new Error(`closed before ${text} came: ${received}`);
        await moved.promise;
      }
    },
    closed,
    isOpen: () => isOpen,
    end: () => socket.destroy(),
  };
}

function opened(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) }, () => {
      socket.off("error", reject);
      // A connection that the server cut off is what is looked at here: `close` tells.
      socket.on("error", () => undefined);
      resolve(socket);
    });
    socket.once("error", reject);
  });
}

/** The status codes in what came back, in order. */
export function statuses(received: string): readonly number[] {
  return [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
}

/** How long the first answer may take on a busy machine, and after which silence it is the last one. */
const ANSWER_LIMIT_MS = 5_000;
const SILENCE_MS = 150;

/** Sends one thing; answers what came back once it seems to be all, or the connection is closed. */
export async function exchange(
  url: string,
  bytes: string | Uint8Array,
): Promise<{ readonly received: string; readonly isOpen: boolean }> {
  const wire = await openWire(url);
  wire.send(bytes);
  await Promise.race([wire.heard("\r\n\r\n").catch(() => undefined), Bun.sleep(ANSWER_LIMIT_MS)]);
  let before = -1;
  while (wire.isOpen() && wire.received().length !== before) {
    before = wire.received().length;
    await Promise.race([wire.closed, Bun.sleep(SILENCE_MS)]);
  }
  const isOpen = wire.isOpen();
  wire.end();
  return { received: wire.received(), isOpen };
}
