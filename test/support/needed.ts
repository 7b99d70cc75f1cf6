/**
 * What tests lean on beside Bun. Where something is missing its tests are skipped, which is said once; in CI nothing
 * is skipped: there it fails the run.
 */
export function isThere(found: boolean, line: string): boolean {
  if (found) return true;
  if (process.env["CI"] !== undefined) throw new Error(line.replace("SKIPPED", "CANNOT BE SKIPPED HERE"));
  sayOnce(line);
  return false;
}

/** For a shell's examples, run as they are written. */
export function hasCurl(): boolean {
  const found = Bun.which("bash") !== null && Bun.which("curl") !== null;
  return isThere(
    found,
    "SKIPPED: the examples for curl, since bash or curl is not installed (Debian: bash, curl)",
  );
}

/** PostgreSQL's own for backups. */
export function hasPostgresTools(): boolean {
  const found = ["pg_dump", "pg_restore", "psql"].every((program) => Bun.which(program) !== null);
  return isThere(found, "SKIPPED: a backup of PostgreSQL (Debian: postgresql-client)");
}

/** The program that reads what Prometheus reads; null where it is not installed. */
export function findPromtool(): string | null {
  return findTool("promtool", "what promtool says of the metrics (Debian: prometheus)");
}

/** Puts the manifests for Kubernetes together, without a cluster; null where it is not installed. */
export function findKubectl(): string | null {
  return findTool("kubectl", "what kubectl says of the manifests (Debian: kubernetes-client)");
}

export function findCaddy(): string | null {
  return findTool("caddy", "what Caddy says of its file (Debian: caddy)");
}

export function findSystemdAnalyze(): string | null {
  return findTool("systemd-analyze", "what systemd says of the unit (Debian: systemd)");
}

function findTool(name: string, isFor: string): string | null {
  const path = Bun.which(name);
  return isThere(path !== null, `SKIPPED: ${isFor}`) ? path : null;
}

/** Each test file has modules of its own; the process is theirs in common. */
export function sayOnce(line: string): void {
  const said = process.env["LATCHKEY_TEST_SAID"] ?? "";
  if (said.includes(line)) return;
  process.env["LATCHKEY_TEST_SAID"] = `${said}${line}\n`;
  process.stderr.write(`${line}\n`);
}
