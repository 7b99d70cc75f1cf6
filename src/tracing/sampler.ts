import type { TraceParent } from "./trace-context.ts";

export interface Sampler {
  /** Whether a caller who has decided already has decided for us. */
  readonly followsParent: boolean;
  /** The share of the traces that is recorded, 0 to 1. */
  readonly ratio: number;
}

/** Of the 56 random bits at the end of a trace's id the first 52: as many as a number holds exactly. */
const RANDOM_FROM = 18;
const RANDOM_TO = 31;
const RANDOM_END = 2 ** 52;

/** By the id alone, so that every program that takes this share takes the same traces. */
export function isSampled(
  { followsParent, ratio }: Sampler,
  traceId: string,
  parent: TraceParent | null,
): boolean {
  if (followsParent && parent !== null) return parent.isSampled;
  return Number.parseInt(traceId.slice(RANDOM_FROM, RANDOM_TO), 16) >= (1 - ratio) * RANDOM_END;
}
