/**
 * What the binary does without. Elysia brings TypeBox's compiler and checker for routes that have it validate; ours
 * check their input themselves (docs/decisions/0003-routes-are-data.md), and each start would only unpack what nothing
 * calls. A part that is called all the same says so.
 */
const PARTS: ReadonlySet<string> = new Set(
  ["compiler", "value"].map((part) => Bun.resolveSync(`@sinclair/typebox/${part}`, import.meta.dir)),
);

/** One empty class under all names that there would be: it can be imported, extended and compared with, not used. */
async function emptied(path: string): Promise<string> {
  const part: object = await import(path);
  const names = Object.keys(part).map((name) => `leftOut as ${name}`);
  return `
    const refuse = () => { throw new Error("this part of TypeBox is left out of the binary: see scripts/left-out.ts"); };
    const get = (made, name) => (name in made ? made[name] : refuse());
    const leftOut = new Proxy(class {}, { get, construct: refuse });
    export { ${names.join(", ")} };`;
}

export const leftOut: Bun.BunPlugin = {
  name: "left-out",
  setup(build) {
    build.onLoad({ filter: /typebox.*index\.m?js$/ }, async ({ path }) =>
      PARTS.has(path) ? { contents: await emptied(path), loader: "js" } : undefined,
    );
  },
};
