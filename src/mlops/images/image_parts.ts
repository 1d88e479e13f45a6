import { z } from "zod";
import { ConfigurationError, ServiceRefusedError } from "../../agents/model_deployer/errors.ts";
import { parsedJson } from "../../platform/parsed_json.ts";
import type { ImagePlatform } from "./environment_layer.ts";
import { parseReference } from "./image_reference.ts";
import { digestOfText, type Layer } from "./layer.ts";
import type { Descriptor, Manifest, RegistryClient } from "./registry_client.ts";
import type { Repository } from "./registry_transport.ts";
import { REGISTRY } from "./registry_errors.ts";

export type ImageLabels = Record<string, string>;

const configSchema = z.object({
  architecture: z.string(),
  os: z.string(),
  config: z
    .object({
      Env: z.array(z.string()).nullish(),
      Labels: z.record(z.string(), z.string()).nullish(),
    })
    .default({}),
  rootfs: z.object({ diff_ids: z.array(z.string()) }),
});

/** The image that others are made on. */
export interface BaseImage {
  repository: Repository;
  /** Of the image for this platform, which an index leads to. */
  digest: string;
  layers: Descriptor[];
  diffIds: string[];
  environment: string[];
  platform: ImagePlatform;
}

const layerType = "application/vnd.oci.image.layer.v1.tar+gzip";
const configType = "application/vnd.oci.image.config.v1+json";
const manifestType = "application/vnd.oci.image.manifest.v1+json";

/** @throws ConfigurationError where it is not there, or is no image with Python for Linux */
export async function readBase(
  registry: RegistryClient,
  reference: string,
  signal: AbortSignal,
): Promise<BaseImage> {
  const { repository, digest: named } = parseReference(reference);
  const wanted = process.arch === "arm64" ? "arm64" : "amd64";
  const refuse = (problem: string) =>
    new ConfigurationError(`MODEL_DEPLOYER_IMAGE_BASE: ${reference} ${problem}`);
  let found = await registry.manifest(repository, named, signal);
  const choice = found?.manifest.manifests?.find(
    ({ platform }) => platform?.os === "linux" && platform.architecture === wanted,
  );
  if (found?.manifest.manifests !== undefined) {
    if (choice === undefined) throw refuse(`has no image for linux/${wanted}`);
    found = await registry.manifest(repository, choice.digest, signal);
  }
  if (found === null) throw refuse("is not in its registry");
  const { config, layers } = found.manifest;
  if (config === undefined || layers === undefined) throw refuse("is no image");
  const { architecture, config: own, rootfs } = await readConfig(registry, repository, config.digest, signal);
  const environment = own.Env ?? [];
  const version = environment.find((line) => line.startsWith("PYTHON_VERSION="))?.split("=")[1];
  const python = /^\d+\.\d+/.exec(version ?? "")?.[0];
  if (python === undefined) {
    throw refuse(
      "does not say its Python in PYTHON_VERSION: use an official python image, or set it with ENV",
    );
  }
  const platform = { architecture, python };
  return { repository, digest: found.digest, layers, diffIds: rootfs.diff_ids, environment, platform };
}

/** The labels of an image. */
export async function labelsIn(
  registry: RegistryClient,
  repository: Repository,
  { config }: Manifest,
  signal: AbortSignal,
): Promise<ImageLabels> {
  if (config === undefined) return {};
  return (await readConfig(registry, repository, config.digest, signal)).config.Labels ?? {};
}

async function readConfig(
  registry: RegistryClient,
  repository: Repository,
  digest: string,
  signal: AbortSignal,
) {
  const parsed = configSchema.safeParse(parsedJson(await registry.text(repository, digest, signal)));
  if (parsed.success) return parsed.data;
  throw new ServiceRefusedError(
    REGISTRY,
    `${digest} in ${repository.host}/${repository.path} is no image's configuration`,
  );
}

/** Configuration and manifest of an image: of no time and no machine, so that the same parts give the same digest. */
export function imageOf(
  base: BaseImage,
  own: readonly Layer[],
  labels: ImageLabels,
  paths: { bento: string; environment: string },
): { config: string; manifest: { text: string; mediaType: string } } {
  const config = JSON.stringify({
    created: new Date(0).toISOString(),
    architecture: base.platform.architecture,
    os: "linux",
    config: {
      User: "10001:10001",
      Env: [...base.environment, `PYTHONPATH=${paths.environment}`],
      ExposedPorts: { "3000/tcp": {} },
      WorkingDir: `${paths.bento}/src`,
      Cmd: ["python", `${paths.bento}/src/serve.py`, "0.0.0.0", "3000", "16"],
      Labels: labels,
    },
    rootfs: { type: "layers", diff_ids: [...base.diffIds, ...own.map(({ diff_id }) => diff_id)] },
  });
  const described = own.map(({ digest, size }) => ({ mediaType: layerType, digest, size }));
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: manifestType,
    config: { mediaType: configType, digest: digestOfText(config), size: Buffer.byteLength(config) },
    layers: [...base.layers.map(asOci), ...described],
  });
  return { config, manifest: { text, mediaType: manifestType } };
}

/** Docker's name for the same kind of layer is another one. */
function asOci({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType: mediaType.includes("docker") ? layerType : mediaType, digest, size };
}
