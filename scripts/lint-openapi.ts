/**
 * Holds the OpenAPI document to the rules of two linters, which are too large to be installed with the rest:
 * docs/decisions/0014-documentation-from-routes.md. Exits with 1 where either finds an error.
 *
 *   bun scripts/lint-openapi.ts http://localhost:8000
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [address = "http://localhost:8000"] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "latchkey-openapi-"));
try {
  const document = await (await fetch(`${address}/openapi.json`)).text();
  writeFileSync(join(folder, "openapi.json"), document);
  writeFileSync(join(folder, ".spectral.yaml"), 'extends: ["spectral:oas"]\n');
  const linters = [
    ["@redocly/cli@2.77.0", "lint", "--extends=recommended", "--format=summary", "openapi.json"],
    ["@stoplight/spectral-cli@6.16.3", "lint", "--fail-severity=error", "openapi.json"],
  ];
  const failed = linters.filter((words) => {
    const { exitCode } = Bun.spawnSync(["bunx", ...words], {
      cwd: folder,
      stdout: "inherit",
      stderr: "inherit",
      // Redocly's tool would otherwise ask whether there is a newer one, and tell how it is used.
      env: { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" },
    });
    return exitCode !== 0;
  });
  process.exitCode = failed.length === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
