import { describe, expect, test } from "bun:test";
import { Fault } from "../../src/core/fault.ts";
import { Metrics } from "../../src/core/metrics.ts";

describe("the text that Prometheus reads", () => {
  test("a counter says what it is, and one line for each combination of labels", async () => {
    const metrics = new Metrics();
    const doors = metrics.counter("doors_total", "Doors opened.", ["room", "by"]);
    doors.add(["hall", "key"]);
    doors.add(["hall", "key"], 2);
    doors.add(["attic", "axe"]);
    expect(await metrics.render()).toBe(
      "# HELP doors_total Doors opened.\n# TYPE doors_total counter\n" +
        'doors_total{room="hall",by="key"} 3\ndoors_total{room="attic",by="axe"} 1\n',
    );
  });

  test("one without labels is there from the start", async () => {
    const metrics = new Metrics();
    metrics.counter("doors_total", "Doors opened.");
    expect(await metrics.render()).toEndWith("\ndoors_total 0\n");
  });

  test("a histogram counts up to each limit, that limit included, and everything under +Inf", async () => {
    const metrics = new Metrics();
    const waits = metrics.histogram("wait_seconds", "Waits.", ["who"], [0.1, 1]);
    for (const seconds of [0.1, 0.5, 1, 7]) waits.observe(seconds, ["me"]);
    expect((await metrics.render()).split("\n").slice(2)).toEqual([
      'wait_seconds_bucket{who="me",le="0.1"} 1',
      'wait_seconds_bucket{who="me",le="1"} 3',
      'wait_seconds_bucket{who="me",le="+Inf"} 4',
      'wait_seconds_sum{who="me"} 8.6',
      'wait_seconds_count{who="me"} 4',
      "",
    ]);
  });

  test("a histogram without labels is there from the start", async () => {
    const metrics = new Metrics();
    metrics.histogram("wait_seconds", "Waits.", [], [1]);
    expect(await metrics.render()).toBe(
      "# HELP wait_seconds Waits.\n# TYPE wait_seconds histogram\n" +
        'wait_seconds_bucket{le="1"} 0\nwait_seconds_bucket{le="+Inf"} 0\n' +
        "wait_seconds_sum 0\nwait_seconds_count 0\n",
    );
  });

  test("a label cannot break out of its quotes", async () => {
    const metrics = new Metrics();
    metrics.counter("doors_total", "Doors.", ["room"]).add(['a"} 9\nb\\']);
    expect(await metrics.render()).toEndWith('\ndoors_total{room="a\\"} 9\\nb\\\\"} 1\n');
  });

  test("a flood of labels ends in one series for all the others, and loses no count", async () => {
    const metrics = new Metrics();
    const doors = metrics.counter("doors_total", "Doors.", ["room", "by"]);
    for (let number = 0; number < 5_000; number += 1) doors.add([`room ${number}`, "key"]);
    const lines = (await metrics.render()).split("\n").filter((line) => line.startsWith("doors_total{"));
    expect(lines).toHaveLength(2_001);
    expect(lines).toContain('doors_total{room="other",by="other"} 3000');
  });

  test("a gauge that leans on what is out of reach is left out, and a mistake of ours is not", async () => {
    const metrics = new Metrics();
    metrics.gauge("rooms", "Rooms.", () => 3);
    metrics.gauge("guests", "Guests.", () => Promise.reject(Fault.of({ kind: "unavailable" })));
    expect(await metrics.render()).toBe("# HELP rooms Rooms.\n# TYPE rooms gauge\nrooms 3\n");
    metrics.gauge("doors", "Doors.", () => Promise.reject(new Error("no such door")));
    expect(metrics.render()).rejects.toThrow("no such door");
  });
});
