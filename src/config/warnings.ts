import type { Config } from "./load.ts";
import { secretKeyWeakness } from "./secret-strength.ts";

const TOKEN_MIN_BYTES = 16;

/** What is not fit for production, a line each: printed at start, whatever the environment. */
export function warnings(config: Config): readonly string[] {
  return [
    ...environmentWarnings(config),
    ...secretWarnings(config),
    ...(config.rateLimits.enabled
      ? []
      : ["RATE_LIMIT_ENABLED is false: guessing is slowed by the lockout alone"]),
    ...(config.database.echo ? ["DB_ECHO is true: each SQL statement is logged"] : []),
  ];
}

/** Outside production these two follow from ENVIRONMENT, so that one line says it all. */
function environmentWarnings(config: Config): readonly string[] {
  if (!config.isProduction) {
    return [`ENVIRONMENT is ${config.environment}: set ENVIRONMENT=production where others can reach it`];
  }
  return [
    ...(config.debug ? ["DEBUG is true: the API's documentation is open to everybody"] : []),
    ...(config.cookie.secure
      ? []
      : ["COOKIE_SECURE is false: the refresh cookie also travels over plain HTTP"]),
    ...config.corsOrigins
      .filter((origin) => origin.startsWith("http://"))
      .map((origin) => `CORS_ORIGINS holds ${origin}: a page without TLS can be changed on its way`),
  ];
}

function secretWarnings(config: Config): readonly string[] {
  const weakness = config.secretKey === null ? null : secretKeyWeakness(config.secretKey);
  return [
    ...(config.secretKey === null
      ? ["SECRET_KEY is not set: one is made, and kept beside the database"]
      : []),
    ...(weakness === null ? [] : [`SECRET_KEY ${weakness}: whoever guesses it can sign in as anybody`]),
    ...tooShort("ADMIN_SETUP_TOKEN", config.adminSetupToken),
    ...tooShort("METRICS_TOKEN", config.metricsToken),
  ];
}

function tooShort(name: string, token: string | null): readonly string[] {
  const isShort = token !== null && Buffer.byteLength(token) < TOKEN_MIN_BYTES;
  return isShort ? [`${name} is shorter than ${TOKEN_MIN_BYTES} bytes: it can be guessed`] : [];
}
