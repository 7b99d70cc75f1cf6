/**
 * How one program tells the next which trace a request belongs to: W3C Trace Context, level 1
 * (https://www.w3.org/TR/trace-context-1/). What does not hold to it is as good as absent.
 */
export interface TraceParent {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
}

/** Later versions may say more behind a further dash, of which this one knows nothing. */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const NO_TRACE = "0".repeat(32);
const NO_SPAN = "0".repeat(16);
const SAMPLED = 0x01;

export function readTraceParent(header: string | null): TraceParent | null {
  const match = header === null ? null : TRACEPARENT.exec(header.trim());
  if (match === null) return null;
  const [, version, traceId = NO_TRACE, spanId = NO_SPAN, flags = "", more] = match;
  if (version === "ff" || (version === "00" && more !== undefined)) return null;
  if (traceId === NO_TRACE || spanId === NO_SPAN) return null;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & SAMPLED) !== 0 };
}

export function traceParentText({ traceId, spanId, isSampled }: TraceParent): string {
  return `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`;
}

const STATE_MAX_CHARACTERS = 512;
const STATE_MAX_MEMBERS = 32;
const STATE_MEMBER =
  /^([a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})=([ -+\x2d-<>-~]{0,255}[!-+\x2d-<>-~])$/;

/** What other systems want carried along; passed on whole, or not at all. */
export function readTraceState(header: string | null): string | null {
  if (header === null) return null;
  const members = header
    .split(",")
    .map((member) => member.replace(/^[ \t]+|[ \t]+$/g, ""))
    .filter((member) => member !== "");
  const keys = new Set(members.map((member) => member.slice(0, member.indexOf("="))));
  const state = members.join(",");
  const isSound =
    members.length > 0 &&
    members.length <= STATE_MAX_MEMBERS &&
    keys.size === members.length &&
    state.length <= STATE_MAX_CHARACTERS &&
    members.every((member) => STATE_MEMBER.test(member));
  return isSound ? state : null;
}
