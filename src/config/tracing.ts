import { type NamedValues, samplerOf } from "./otel.ts";
import { type Known, settings } from "./settings.ts";
import type { SettingReader } from "./sources.ts";

export interface TracingConfig {
  /** Where spans are posted to, with its whole path. */
  readonly url: string;
  readonly headers: NamedValues;
  readonly resource: NamedValues;
  readonly sampler: { readonly followsParent: boolean; readonly ratio: number };
}

const DEFAULT_SERVICE_NAME = "latchkey";

export function assembleTracing(reader: SettingReader, known: Known): TracingConfig | null {
  const endpoint = reader.read(settings.otlpEndpoint, known);
  const tracesEndpoint = reader.read(settings.otlpTracesEndpoint, known);
  const headers = reader.read(settings.otlpHeaders, known);
  const serviceName = reader.read(settings.otelServiceName, known);
  const attributes = reader.read(settings.otelResourceAttributes, known);
  const sampler = reader.read(settings.otelTracesSampler, known);
  const ratio = reader.read(settings.otelTracesSamplerArg, known);
  const url = tracesEndpoint ?? (endpoint === null ? null : `${endpoint}/v1/traces`);
  if (url === null) return null;
  const name = serviceName ?? attributes["service.name"] ?? DEFAULT_SERVICE_NAME;
  return {
    url,
    headers,
    resource: { ...attributes, "service.name": name },
    sampler: samplerOf(sampler, ratio),
  };
}
