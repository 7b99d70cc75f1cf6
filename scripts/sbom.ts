/**
 * What is inside the binary, as CycloneDX: the packages that run, from `bun.lock`, and Bun itself. The same lock makes
 * the same bytes: nothing tells when or where it was made.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

type Names = Readonly<Record<string, string>>;

/** One line of `packages`: what it is, where from, what it needs, and the hash of its archive. */
interface Locked {
  readonly key: string;
  readonly name: string;
  readonly version: string;
  readonly integrity: string;
  readonly needs: readonly string[];
}

export interface Component {
  readonly type: "library";
  readonly "bom-ref": string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly licenses: readonly {
    readonly license?: { readonly name: string };
    readonly expression?: string;
  }[];
  readonly hashes: readonly { readonly alg: "SHA-512"; readonly content: string }[];
}

export interface Sbom {
  readonly bomFormat: "CycloneDX";
  readonly specVersion: "1.6";
  readonly version: 1;
  readonly metadata: { readonly component: object };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

export function sbom(root: string): Sbom {
  const { version, license, dependencies, packages } = readProject(root);
  const direct = Object.keys(dependencies).map((name) => found(packages, "", name));
  const inside = withAllTheyNeed(direct, packages);
  const bun = bunComponent();
  const ourRef = `pkg:generic/latchkey@${version}`;
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: {
        type: "application",
        "bom-ref": ourRef,
        name: "latchkey",
        version,
        licenses: [{ license: { id: license } }],
      },
    },
    components: [bun, ...unique(inside).map((each) => component(root, each))],
    dependencies: [
      { ref: ourRef, dependsOn: [bun["bom-ref"], ...direct.map(purlOf)] },
      ...unique(inside).map((each) => ({
        ref: purlOf(each),
        dependsOn: [...new Set(neededBy(each, packages).map(purlOf))].toSorted(),
      })),
    ],
  };
}

/** The licence that each package brings along, one after another. */
export function licenceTexts(root: string): string {
  const { dependencies, packages } = readProject(root);
  const direct = Object.keys(dependencies).map((name) => found(packages, "", name));
  return unique(withAllTheyNeed(direct, packages))
    .map(
      (each) =>
        `${"=".repeat(72)}\n${each.name} ${each.version} (${licenceName(root, each) ?? "no licence named"})\n\n${licenceText(root, each)}\n`,
    )
    .join("\n");
}

function readProject(root: string) {
  const project: { version: string; license: string; dependencies: Names } = JSON.parse(
    readFileSync(join(root, "package.json"), "utf8"),
  );
  const lock: unknown = Bun.JSONC.parse(readFileSync(join(root, "bun.lock"), "utf8"));
  const entries = Object.entries(Object(Object(lock).packages)).map(([key, line]) => locked(key, line));
  return { ...project, packages: new Map(entries.map((entry) => [entry.key, entry])) };
}

function locked(key: string, line: unknown): Locked {
  if (!Array.isArray(line)) throw new Error(`bun.lock: ${key} is no list`);
  const [id, , facts, integrity]: unknown[] = line;
  const [, name, version] = /^(.+)@([^@]+)$/.exec(String(id)) ?? [];
  if (name === undefined || version === undefined || typeof integrity !== "string") {
    throw new Error(`bun.lock: ${key} is not as it should be`);
  }
  const { dependencies = {}, peerDependencies = {}, optionalPeers = [] } = Object(facts);
  const optional = new Set<string>(optionalPeers);
  const peers = Object.keys(Object(peerDependencies)).filter((peer) => !optional.has(peer));
  return { key, name, version, integrity, needs: [...Object.keys(Object(dependencies)), ...peers] };
}

/** As it is found at run time: beside whoever needs it, or else further up. */
function found(packages: ReadonlyMap<string, Locked>, from: string, name: string): Locked {
  const here = packages.get(from === "" ? name : `${from}/${name}`);
  if (here !== undefined) return here;
  if (from === "") throw new Error(`bun.lock holds no ${name}`);
  return found(packages, from.replace(/(?:^|\/)(?:@[^/@]+\/)?[^/@]+$/, ""), name);
}

function neededBy({ key, needs }: Locked, packages: ReadonlyMap<string, Locked>): readonly Locked[] {
  return needs.map((name) => found(packages, key, name));
}

function withAllTheyNeed(
  direct: readonly Locked[],
  packages: ReadonlyMap<string, Locked>,
): readonly Locked[] {
  const seen = new Set<Locked>();
  const add = (each: Locked): void => {
    if (seen.has(each)) return;
    seen.add(each);
    for (const needed of neededBy(each, packages)) add(needed);
  };
  for (const each of direct) add(each);
  return [...seen];
}

/** Two places in the tree may hold the same package. */
function unique(packages: readonly Locked[]): readonly Locked[] {
  const byPurl = new Map(packages.map((each) => [purlOf(each), each]));
  return [...byPurl].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
}

function purlOf({ name, version }: Locked): string {
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}

function component(root: string, each: Locked): Component {
  const purl = purlOf(each);
  const licence = licenceName(root, each);
  const digest = Buffer.from(each.integrity.replace(/^sha512-/, ""), "base64").toString("hex");
  return {
    type: "library",
    "bom-ref": purl,
    name: each.name,
    version: each.version,
    purl,
    licenses: licence === null ? [] : [{ expression: licence }],
    hashes: [{ alg: "SHA-512", content: digest }],
  };
}

function bunComponent(): Component {
  const purl = `pkg:github/oven-sh/bun@bun-v${Bun.version}`;
  return {
    type: "library",
    "bom-ref": purl,
    name: "bun",
    version: Bun.version,
    purl,
    licenses: [{ license: { name: "MIT, with parts under LGPL-2.1 (JavaScriptCore) and others" } }],
    hashes: [],
  };
}

/** Null where the package does not say: whoever asks must read it. */
function licenceName(root: string, each: Locked): string | null {
  const { license }: { license?: unknown } = Object(
    JSON.parse(readFileSync(join(folderOf(root, each), "package.json"), "utf8")),
  );
  return typeof license === "string" ? license : null;
}

function licenceText(root: string, each: Locked): string {
  const folder = folderOf(root, each);
  const file = readdirSync(folder)
    .toSorted()
    .find((name) => /^(?:licen[cs]e|copying)(?:[.-]|$)/i.test(name));
  return file === undefined ? "(It brings no text along.)\n" : readFileSync(join(folder, file), "utf8");
}

function folderOf(root: string, { key, name }: Locked): string {
  const parents = key.slice(0, -name.length).match(/(?:@[^/]+\/)?[^/]+(?=\/)/g) ?? [];
  const folder = join(root, ...[...parents, name].flatMap((each) => ["node_modules", each]));
  if (!existsSync(folder)) throw new Error(`${folder} is missing: run bun install first`);
  return folder;
}
