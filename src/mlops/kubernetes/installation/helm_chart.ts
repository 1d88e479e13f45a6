import { stringify } from "yaml";
import { type InstallationInput, installationManifests } from "./installation_manifests.ts";

/** The settings that a chart leaves open; each is a value of `values.yaml`, but the namespace, which Helm is told. */
const OPEN = {
  namespace: "{{ .Release.Namespace }}",
  installation: "{{ .Values.installation }}",
  image: "{{ .Values.image }}",
  secret: "{{ .Values.secret }}",
} as const;

/** The files of a Helm chart of exactly the objects that an installation has, by their paths in it. */
export function chartFiles(input: InstallationInput, version: string): Record<string, string> {
  const { environment, gateway } = input;
  const open: InstallationInput = {
    ...input,
    ...OPEN,
    environment: Object.fromEntries(
      Object.keys(environment).map((name) => [name, `{{ .Values.environment.${name} }}`]),
    ),
    registrySecret: input.registrySecret === null ? null : "{{ .Values.registrySecret }}",
    gateway:
      gateway === null
        ? null
        : { name: "{{ .Values.gateway.name }}", namespace: "{{ .Values.gateway.namespace }}" },
  };
  const templates = installationManifests(open).map((object, index) => {
    const kind = String(object["kind"]).toLowerCase();
    return [`templates/${String(index).padStart(2, "0")}-${kind}.yaml`, text(object)] as const;
  });
  const { installation, image, secret, registrySecret } = input;
  const values = {
    ...{ installation, image, secret },
    ...(registrySecret !== null && { registrySecret }),
    ...(gateway !== null && { gateway: { name: gateway.name, namespace: gateway.namespace } }),
    environment,
  };
  const chart = {
    apiVersion: "v2",
    name: "model-deployer",
    description: "Takes trained models from the registry to production traffic and back",
    type: "application",
    version,
    appVersion: version,
  };
  return { "Chart.yaml": text(chart), "values.yaml": text(values), ...Object.fromEntries(templates) };
}

/** Each text is quoted, so that what a value is replaced by stays a text; whole values by Helm, whatever they hold. */
function text(object: unknown): string {
  const quoted = stringify(object, {
    defaultStringType: "QUOTE_DOUBLE",
    defaultKeyType: "PLAIN",
    lineWidth: 0,
  });
  return quoted.replaceAll(/"\{\{ (\S+) \}\}"/g, "{{ $1 | quote }}");
}
