/**
 * A picture of who sends what to whom, of the few words of Mermaid that the guides use: hosts of Git draw them, and a
 * page without scripts shows this list. Each step is in the column of who takes it, with an arrow from the other.
 */
export function flow(source: string): string {
  const names = new Map<string, string>();
  const steps: string[] = [];
  for (const line of source.trim().split("\n").slice(1)) steps.push(...step(line.trim(), names));
  const heads = [...names.values()].map((name) => `<span>${name}</span>`).join("");
  return `<div class="flow"><p class="sides">${heads}</p><ol>${steps.join("")}</ol></div>`;
}

function step(line: string, names: Map<string, string>): readonly string[] {
  const [, id, name] = /^participant (\w+) as (.+)$/.exec(line) ?? [];
  if (id !== undefined && name !== undefined) {
    names.set(id, name);
    return [];
  }
  const [, note] = /^Note over [\w,]+: (.+)$/.exec(line) ?? [];
  if (note !== undefined) return [`<li class="note">${note}</li>`];

  const [, from = "", to = "", message = ""] = /^(\w+)--?&gt;&gt;(\w+): (.+)$/.exec(line) ?? [];
  const [sender, taker] = [names.get(from), names.get(to)];
  if (sender === undefined || taker === undefined) throw new Error(`no step of a flow: ${line}`);
  const direction = [...names.keys()].indexOf(from) === 0 ? "there" : "back";
  return [`<li class="${direction}"><span class="who">${sender} to ${taker}: </span>${message}</li>`];
}
