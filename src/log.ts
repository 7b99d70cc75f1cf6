import type { Clock } from "./core/clock.ts";
import type { Log, LogFields, LogLevel } from "./core/log.ts";

const SEVERITY: Readonly<Record<LogLevel, number>> = { debug: 10, info: 20, warning: 30, error: 40 };

export interface LogOptions {
  readonly level: LogLevel;
  /** One JSON object a line, for machines; else one for people. */
  readonly json: boolean;
  readonly colors: boolean;
  readonly clock: Clock;
  readonly write: (line: string) => void;
}

/** One line an event, whatever the values hold: nobody can write a second line into the log through a first. */
export function createLog(options: LogOptions): Log {
  const { json, colors, clock, write } = options;
  const least = SEVERITY[options.level];
  const isoTime = isoTimes();
  const line = (level: LogLevel, event: string, fields: LogFields, cause?: unknown) => {
    if (SEVERITY[level] < least) return;
    const time = isoTime(clock.nowMs());
    const told = cause === undefined ? fields : { ...fields, cause: describeCause(cause) };
    write(json ? jsonLine(time, level, event, told) : prettyLine(time, level, event, told, colors));
  };
  return {
    debug: (event, fields = {}) => line("debug", event, fields),
    info: (event, fields = {}) => line("info", event, fields),
    warning: (event, fields = {}) => line("warning", event, fields),
    error: (event, fields = {}, cause) => line("error", event, fields, cause),
  };
}

/** Many lines are of one millisecond. */
function isoTimes(): (atMs: number) => string {
  let lastMs = Number.NaN;
  let last = "";
  return (atMs) => {
    if (atMs !== lastMs) {
      last = new Date(atMs).toISOString();
      lastMs = atMs;
    }
    return last;
  };
}

/**
 * The fields are not copied behind what every line begins with: that would take as long as all the rest. And they are
 * looked through by themselves, since to look through the whole line takes twice as long as to make it.
 */
function jsonLine(time: string, level: LogLevel, event: string, fields: LogFields): string {
  const told = oneLine(JSON.stringify(fields));
  const begin = `{"time":"${time}","level":"${level}","event":${oneLine(JSON.stringify(event))}`;
  return told === "{}" ? `${begin}}` : `${begin},${told.slice(1)}`;
}

const COLOR: Readonly<Record<LogLevel, string>> = {
  debug: "\x1b[90m",
  info: "\x1b[32m",
  warning: "\x1b[33m",
  error: "\x1b[31m",
};

function prettyLine(
  time: string,
  level: LogLevel,
  event: string,
  fields: LogFields,
  colors: boolean,
): string {
  const [on, off] = colors ? [COLOR[level], "\x1b[0m"] : ["", ""];
  const told = Object.entries(fields)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([name, value]) => ` ${name}=${prettyValue(value)}`);
  return `${time} ${on}${level.toUpperCase().padEnd(7)}${off} ${oneLine(event + told.join(""))}`;
}

function prettyValue(value: LogFields[string]): string {
  return typeof value === "string" && !/^[\w./:@*%+-]+$/.test(value) ? JSON.stringify(value) : String(value);
}

/** Control characters could end the line, or rewrite it on the terminal of whoever reads it. */
function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, escaped);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** An error with its stack and what caused it: the operator sees what the client must not. */
function describeCause(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const inner = cause.cause === undefined ? "" : ` <- ${describeCause(cause.cause)}`;
  return `${cause.stack ?? cause.message}${inner}`;
}

/** What may wait for a reader that has stopped reading. Two thousand requests a second fill it in ten seconds. */
export const WAITING_CHARACTERS = 4 * 1024 * 1024;

export interface LineWriter {
  write(line: string): void;
  flush(): Promise<void>;
}

export function standardOutputWriter(): LineWriter {
  return lineWriter(Bun.stdout.writer({ highWaterMark: 64 * 1024 }));
}

/** Where lines go. What it answers to `flush` is waited for. */
interface LineSink {
  write(lines: string): unknown;
  flush(): unknown;
}

/**
 * Gathers the lines of one turn of the event loop into one write. Lines are lost where the sink's reader is gone, its
 * disk is full, or too much waits for it: requests go on without them, and a failure told here would be one more line
 * to fail.
 */
export function lineWriter(sink: LineSink): LineWriter {
  let gathered = "";
  let flushing: Promise<void> | null = null;
  const flushAll = async () => {
    while (gathered !== "") {
      const lines = gathered;
      gathered = "";
      try {
        sink.write(lines);
        await sink.flush();
      } catch {
        // The next lines try again.
      }
    }
  };
  const flush = () => (flushing ??= flushAll().finally(() => void (flushing = null)));
  return {
    write(line) {
      if (gathered.length > WAITING_CHARACTERS) return;
      if (gathered === "") setImmediate(flush);
      gathered += `${line}\n`;
    },
    flush,
  };
}
