/**
 * What is counted and measured, and how Prometheus reads it (text format 0.0.4).
 *
 * Families are plain values that are added to where something happens. Each holds at most so many series: one more
 * would be counted under `other`, so that no label, whatever feeds it, can fill the memory.
 */
import { Fault } from "./fault.ts";

export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

const MAX_SERIES = 2_000;
const OTHER = "other";

/** From half a millisecond to ten seconds: what answers, statements and hashes take. */
export const DURATION_BUCKETS_SECONDS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10,
];

export interface Sample {
  /** In the order of the family's labels. */
  readonly labels: readonly string[];
  readonly value: number;
}

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  /** The lines below the heading. */
  lines(): readonly string[] | Promise<readonly string[]>;
}

/** All families of one program, in the order in which they are shown. */
export class Metrics {
  readonly #families: Family[] = [];

  counter(name: string, help: string, labels: readonly string[] = []): Counter {
    const counter = new Counter(name, labels);
    this.#families.push({ name, help, type: "counter", lines: () => counter.lines() });
    return counter;
  }

  histogram(
    name: string,
    help: string,
    labels: readonly string[] = [],
    buckets = DURATION_BUCKETS_SECONDS,
  ): Histogram {
    const histogram = new Histogram(name, labels, buckets);
    this.#families.push({ name, help, type: "histogram", lines: () => histogram.lines() });
    return histogram;
  }

  /** Read when it is asked for. One that leans on what is out of reach just now is left out of the answer. */
  gauge(name: string, help: string, read: () => number | Promise<number>): void {
    this.samples("gauge", name, help, [], async () => [{ labels: [], value: await read() }]);
  }

  samples(
    type: "gauge" | "counter",
    name: string,
    help: string,
    labels: readonly string[],
    read: () => readonly Sample[] | Promise<readonly Sample[]>,
  ): void {
    const lines = async () =>
      (await read()).map((sample) => line(name, labelText(labels, sample.labels), sample.value));
    this.#families.push({ name, help, type, lines });
  }

  async render(): Promise<string> {
    return (await Promise.all(this.#families.map(textOf))).join("");
  }
}

async function textOf(family: Family): Promise<string> {
  const { name, help, type } = family;
  const lines = await linesOf(family);
  return lines === null ? "" : `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

async function linesOf(family: Family): Promise<readonly string[] | null> {
  try {
    return await family.lines();
  } catch (error) {
    if (Fault.is(error, "unavailable")) return null;
    throw error;
  }
}

interface Node<T> {
  readonly next: Map<string, Node<T>>;
  series: { readonly labels: string; readonly value: T } | null;
}

/**
 * One value for each combination of labels that was met. A tree, one label deeper at each step: the labels are
 * constants of the program, whose hashes are known, while a key put together from them would be hashed each time.
 */
class SeriesMap<T> {
  readonly #labels: readonly string[];
  readonly #make: () => T;
  readonly #root: Node<T> = { next: new Map(), series: null };
  readonly #met: { readonly labels: string; readonly value: T }[] = [];

  constructor(labels: readonly string[], make: () => T) {
    this.#labels = labels;
    this.#make = make;
  }

  /** Every request goes through here. */
  of(values: readonly string[]): T {
    let node: Node<T> | undefined = this.#root;
    for (const value of values) node = node?.next.get(value);
    return node?.series?.value ?? this.#add(values);
  }

  met(): readonly { readonly labels: string; readonly value: T }[] {
    return this.#met;
  }

  #add(values: readonly string[]): T {
    if (this.#met.length >= MAX_SERIES && values.some((value) => value !== OTHER)) {
      return this.of(this.#labels.map(() => OTHER));
    }
    let node = this.#root;
    for (const value of values) {
      const next: Node<T> = node.next.get(value) ?? { next: new Map(), series: null };
      node.next.set(value, next);
      node = next;
    }
    const series = { labels: labelText(this.#labels, values), value: this.#make() };
    node.series = series;
    this.#met.push(series);
    return series.value;
  }
}

export class Counter {
  readonly #name: string;
  readonly #series: SeriesMap<{ count: number }>;

  constructor(name: string, labels: readonly string[]) {
    this.#name = name;
    this.#series = new SeriesMap(labels, () => ({ count: 0 }));
    // Without labels there is one series, and it is there from the start: a rate begins at nought.
    if (labels.length === 0) this.#series.of([]);
  }

  /** `labels` in the order in which they were declared. */
  add(labels: readonly string[] = [], by = 1): void {
    this.#series.of(labels).count += by;
  }

  lines(): readonly string[] {
    return this.#series.met().map(({ labels, value }) => line(this.#name, labels, value.count));
  }
}

interface Distribution {
  readonly counts: number[];
  sum: number;
}

export class Histogram {
  readonly #name: string;
  readonly #buckets: readonly number[];
  readonly #series: SeriesMap<Distribution>;

  constructor(name: string, labels: readonly string[], buckets: readonly number[]) {
    this.#name = name;
    this.#buckets = buckets;
    this.#series = new SeriesMap(labels, () => ({ counts: Array(buckets.length + 1).fill(0), sum: 0 }));
    if (labels.length === 0) this.#series.of([]);
  }

  observe(value: number, labels: readonly string[] = []): void {
    const distribution = this.#series.of(labels);
    let place = 0;
    while (value > (this.#buckets[place] ?? Infinity)) place += 1;
    distribution.counts[place] = (distribution.counts[place] ?? 0) + 1;
    distribution.sum += value;
  }

  lines(): readonly string[] {
    return this.#series.met().flatMap(({ labels, value }) => this.#linesOf(labels, value));
  }

  #linesOf(labels: string, { counts, sum }: Distribution): readonly string[] {
    let total = 0;
    const buckets = counts.map((count, place) => {
      total += count;
      const limit = this.#buckets[place];
      const le = `le="${limit === undefined ? "+Inf" : String(limit)}"`;
      return line(`${this.#name}_bucket`, labels === "" ? le : `${labels},${le}`, total);
    });
    return [...buckets, line(`${this.#name}_sum`, labels, sum), line(`${this.#name}_count`, labels, total)];
  }
}

function line(name: string, labels: string, value: number): string {
  return `${name}${labels === "" ? "" : `{${labels}}`} ${value}\n`;
}

function labelText(names: readonly string[], values: readonly string[]): string {
  return names.map((name, index) => `${name}="${escaped(values[index] ?? "")}"`).join(",");
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
