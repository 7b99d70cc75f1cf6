import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Deployment } from "kubernetes-types/apps/v1";
import type { Job } from "kubernetes-types/batch/v1";
import type { ConfigMap, Container, PodSpec, Probe, Secret, Service } from "kubernetes-types/core/v1";
import type { Ingress, NetworkPolicy } from "kubernetes-types/networking/v1";
import type { PodDisruptionBudget } from "kubernetes-types/policy/v1";
import { findKubectl } from "../support/needed.ts";
import { forEachEngine, shared } from "../support/program.ts";
import { loaded } from "./loaded.ts";
import { problemsOf } from "./manifests.ts";

const ROOT = join(import.meta.dir, "../..");
const FOLDER = join(ROOT, "deploy/kubernetes");
const KUSTOMIZATION = "kustomization.yaml";
const EXAMPLE = "secret.example.yaml";

const files = readdirSync(FOLDER).toSorted();
const textOf = (file: string) => readFileSync(join(FOLDER, file), "utf8");
const documents = (file: string): readonly unknown[] => [Bun.YAML.parse(textOf(file))].flat();
const only = (file: string) => Object(documents(file)[0]);

const deployment: Deployment = only("deployment.yaml");
const job: Job = only("migration.yaml");
const settings: ConfigMap = only("settings.yaml");
const service: Service = only("service.yaml");
const ingress: Ingress = only("ingress.yaml");
const disruption: PodDisruptionBudget = only("disruption.yaml");
const network: NetworkPolicy = only("network.yaml");
const kustomization: { resources: string[]; namespace: string } = only(KUSTOMIZATION);
const secrets = documents(EXAMPLE).map((secret): Secret => Object(secret));

const dockerfile = readFileSync(join(ROOT, "Dockerfile"), "utf8");

function podOf({ spec }: Deployment | Job): { spec: PodSpec; container: Container } {
  const pod = spec?.template.spec;
  const [container] = pod?.containers ?? [];
  if (pod === undefined || container === undefined) throw new Error("there is no container");
  return { spec: pod, container };
}

const pods = [podOf(deployment), podOf(job)];
const { spec: pod, container } = podOf(deployment);

/** What stands at the path that a pod sees a file of a secret by; what the example holds, where `made` does not. */
function readMounted(path: string, made: Readonly<Record<string, string>>): string {
  const mount = container.volumeMounts?.find(({ mountPath }) => path.startsWith(`${mountPath}/`));
  const name = pod.volumes?.find((volume) => volume.name === mount?.name)?.secret?.secretName;
  const example = secrets.find(({ metadata }) => metadata?.name === name)?.stringData ?? {};
  const key = path.slice((mount?.mountPath.length ?? 0) + 1);
  const value = key in example ? (made[key] ?? example[key]) : undefined;
  if (value === undefined) throw new Error(`${path} is in no secret`);
  return value;
}

const image = Object.fromEntries(
  [...dockerfile.matchAll(/^(?:ENV| {3}) +([A-Z_]+)=(\S+)/gm)].map(([, name, value]) => [name, value]),
);

const MADE = {
  secret_key: "Zk3v9Qm-7Yt1RwXc5Hs8Lb2NfPd6Gj0A",
  database_url: "postgres://latchkey:password@postgres:5432/latchkey",
  redis_url: "redis://redis:6379",
  s3_secret_access_key: "Yt1RwXc5Hs8Lb2NfPd6G",
};
const config = loaded(settings.data ?? {}, image, (path) => readMounted(path, MADE));

describe("the manifests for Kubernetes", () => {
  test("are what its API takes, and a slip would be noticed", async () => {
    const manifests = files.filter((file) => file !== KUSTOMIZATION).flatMap(documents);
    expect(await problemsOf(manifests)).toBe("");
    const slip = { ...service, spec: { ...service.spec, selectors: {} } };
    expect(await problemsOf([slip])).toMatch(/selectors.* does not exist in type 'ServiceSpec'/);
  }, 30_000);

  test("are all applied, but for the example of secrets", () => {
    expect(kustomization.resources.toSorted()).toEqual(
      files.filter((file) => file.endsWith(".yaml") && file !== KUSTOMIZATION && file !== EXAMPLE),
    );
    expect(only("namespace.yaml").metadata.name).toBe(kustomization.namespace);
    for (const { metadata } of secrets) expect(metadata?.namespace).toBe(kustomization.namespace);
  });

  const kubectl = findKubectl();
  test.if(kubectl !== null)("kubectl puts them together", async () => {
    const building = Bun.spawn([kubectl ?? "kubectl", "kustomize", FOLDER], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [built, said] = await Promise.all([building.stdout.text(), building.stderr.text()]);
    expect({ said, code: await building.exited }).toEqual({ said: "", code: 0 });
    expect(built.match(/image: registry\.example\.com\/latchkey:\d/g)).toHaveLength(2);
  });

  test("make settings that are known, and fit for several instances", () => {
    expect(config).toMatchObject({
      isProduction: true,
      trustProxy: 1,
      database: { engine: "postgres", autoMigrate: false },
      redisUrl: MADE.redis_url,
      keysDir: "/etc/latchkey/keys",
    });
    for (const file of ["private_key.pem", "public_key.pem"]) {
      expect(readMounted(join(config.keysDir, file), {})).toBe("change-me");
    }
  });

  test.each(["secret_key", "database_url", "redis_url"])(
    "come with an example of %s that is refused",
    (key) => {
      const read = (path: string) => readMounted(path, { ...MADE, [key]: "change-me" });
      expect(() => loaded(settings.data ?? {}, image, read)).toThrow(`${key.toUpperCase()}`);
    },
  );

  test("give a stopping instance the time that it takes", () => {
    const { shutdownDelaySeconds, shutdownTimeoutSeconds } = config;
    expect(shutdownDelaySeconds).toBeGreaterThan(0);
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(shutdownDelaySeconds + shutdownTimeoutSeconds);
  });

  test("run as the image does, with no rights and nothing to write to", () => {
    const [, user] = /^USER (\d+):\1$/m.exec(dockerfile) ?? [];
    for (const { spec, container: each } of pods) {
      expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: Number(user) });
      expect(spec.securityContext?.seccompProfile).toEqual({ type: "RuntimeDefault" });
      expect(each.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      });
      expect(each.resources?.limits).toHaveProperty("memory");
      expect(each.envFrom).toEqual([{ configMapRef: { name: settings.metadata?.name ?? "" } }]);
      const fromSecrets = (volumes: PodSpec["volumes"]) =>
        volumes?.filter(({ secret }) => secret !== undefined);
      expect(fromSecrets(spec.volumes)).toEqual(fromSecrets(pod.volumes) ?? []);
    }
    const compose: unknown = Bun.YAML.parse(readFileSync(join(ROOT, "deploy/compose.yaml"), "utf8"));
    for (const { container: each } of pods) {
      expect(compose).toHaveProperty("services.latchkey.image", each.image);
    }
  });

  test("name ports that are open, and reach them by each other's names", () => {
    const open = new Map(container.ports?.map(({ name, containerPort }) => [name, containerPort]));
    expect(open).toEqual(
      new Map([
        ["http", Number(/^EXPOSE (\d+)$/m.exec(dockerfile)?.[1])],
        ["metrics", config.metricsPort ?? 0],
      ]),
    );
    for (const { targetPort } of service.spec?.ports ?? []) expect(open.has(String(targetPort))).toBe(true);
    for (const { ports = [] } of network.spec?.ingress ?? []) {
      for (const { port } of ports) expect(open.has(String(port))).toBe(true);
    }
    const backend = ingress.spec?.rules?.[0]?.http?.paths[0]?.backend.service;
    expect(backend?.name).toBe(service.metadata?.name ?? "");
    expect(service.spec?.ports?.map(({ name }) => name)).toContain(backend?.port?.name);
  });

  test("select the instances, and requests never reach the migration", () => {
    const instance = deployment.spec?.template.metadata?.labels ?? {};
    const migration = job.spec?.template.metadata?.labels ?? {};
    const isSelected = (labels: Record<string, string>, by: Record<string, string> | undefined) =>
      by !== undefined && Object.entries(by).every(([name, value]) => labels[name] === value);
    for (const selector of [
      service.spec?.selector,
      deployment.spec?.selector.matchLabels,
      disruption.spec?.selector?.matchLabels,
      ...(pod.topologySpreadConstraints ?? []).map(({ labelSelector }) => labelSelector?.matchLabels),
    ]) {
      expect([isSelected(instance, selector), isSelected(migration, selector)]).toEqual([true, false]);
    }
    expect(isSelected(instance, network.spec?.podSelector.matchLabels)).toBe(true);
  });
});

forEachEngine("what Kubernetes asks of an instance", (start, engine) => {
  const program = shared(start);

  test(`is answered by routes that there are, on ${engine}`, async () => {
    const probes: readonly (Probe | undefined)[] = [
      container.startupProbe,
      container.readinessProbe,
      container.livenessProbe,
    ];
    for (const probe of probes) {
      expect(probe?.httpGet?.port).toBe("http");
      expect(
        (
          await program()
            .client()
            .get(probe?.httpGet?.path ?? "")
        ).status,
      ).toBe(200);
    }
  });
});
