import { expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { chartFiles } from "../../../../src/mlops/kubernetes/installation/helm_chart.ts";
import { installationManifests } from "../../../../src/mlops/kubernetes/installation/installation_manifests.ts";

const input = {
  namespace: "models",
  installation: "team-a",
  image: "registry.example.org/model-deployer@sha256:1",
  environment: { MODEL_DEPLOYER_ROUTER_REPLICAS: "2", MODEL_DEPLOYER_IMAGE_REPOSITORY: 'a "quoted" one' },
  secret: "model-deployer",
  registrySecret: "pull",
  gateway: { name: "shared", namespace: "infra" },
  serviceMonitor: true,
};
const files = chartFiles(input, "1.2.3");
const valuesSchema = z.record(z.string(), z.union([z.string(), z.record(z.string(), z.string())]));

/** As Helm does where a template only names values: their text in its place. */
function rendered(template: string, values: z.infer<typeof valuesSchema>): unknown {
  const told = template.replaceAll(/\{\{ \.(\S+)( \| quote)? \}\}/g, (_, path: string, quote?: string) => {
    const as = (text: string) => (quote === undefined ? text : JSON.stringify(text));
    if (path === "Release.Namespace") return as("models");
    const [, name = "", key = ""] = path.split(".");
    const value = values[name];
    const found = typeof value === "string" ? value : value?.[key];
    return as(found ?? expect.fail(`no value ${path}`));
  });
  return parse(told);
}

test("a chart with its own values is the objects of an installation, in their order", () => {
  const values = valuesSchema.parse(parse(files["values.yaml"] ?? ""));
  const templates = Object.keys(files).filter((path) => path.startsWith("templates/"));
  const objects = templates.sort().map((path) => rendered(files[path] ?? "", values));
  expect(objects).toEqual(installationManifests(input));
  expect(parse(files["Chart.yaml"] ?? "")).toMatchObject({ apiVersion: "v2", version: "1.2.3" });
});

test("a ServiceMonitor finds the worker's metrics by the labels of its Service", () => {
  const [service, , monitor] = installationManifests(input).slice(-3);
  const labelled = z.looseObject({ metadata: z.looseObject({ labels: z.record(z.string(), z.string()) }) });
  expect(monitor).toMatchObject({
    apiVersion: "monitoring.coreos.com/v1",
    kind: "ServiceMonitor",
    spec: {
      selector: { matchLabels: labelled.parse(service).metadata.labels },
      endpoints: [{ port: "metrics" }],
    },
  });
  expect(installationManifests({ ...input, serviceMonitor: false }).map(({ kind }) => kind)).not.toContain(
    "ServiceMonitor",
  );
});
