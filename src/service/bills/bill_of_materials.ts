import { v5 as uuidOf } from "uuid";
import type { ModelVersion } from "../../agents/model_deployer/domain/entities.ts";
import type { EnvironmentPackages } from "../../agents/model_deployer/domain/models/environment_packages.ts";
import type {
  Vulnerability,
  VulnerabilityReport,
} from "../../agents/model_deployer/domain/models/known_vulnerabilities.ts";
import { signedByText } from "../../agents/model_deployer/domain/models/signers.ts";
import { bentoTag } from "../../agents/model_deployer/domain/values/names.ts";
import { NotFoundError } from "../../agents/model_deployer/errors.ts";
import type { KnownVulnerabilities } from "../../agents/model_deployer/ports/vulnerability_port.ts";
import type { DeployerDatabase } from "../../database/index.ts";
import type { BillOfMaterials, Component } from "./bill_schemas.ts";

/** The namespace of bills' serial numbers, drawn once. */
const BILLS = "5f0f3d4e-3c0e-4b7e-9d43-0f5f7f0f8a11";

export interface BillSource {
  database: Pick<DeployerDatabase, "modelVersions" | "deployments">;
  /** Reads the packages of a bento; null where none of that tag, or none with a lock, is in the store. */
  listPackages: (bentoTag: string) => Promise<EnvironmentPackages | null>;
  /** Undefined where nobody brought entries of known ones. */
  vulnerabilities?: KnownVulnerabilities | undefined;
}

/**
 * The bill of materials of what a version is served in.
 * @param named a version, or a deployment of one
 * @throws NotFoundError also for a version that was not packaged yet; ConfigurationError for entries of known
 * vulnerabilities that cannot be read
 */
export async function billOf(
  { database, listPackages, vulnerabilities }: BillSource,
  named: string,
): Promise<BillOfMaterials> {
  const deployment = await database.deployments.get(named);
  const version = await database.modelVersions.get(deployment?.model_version_id ?? named);
  if (version === null) {
    throw new NotFoundError(
      `There is no version or deployment ${named}; versions <experiment> and deployments <endpoint> list those that there are.`,
    );
  }
  const tag = deployment?.bento_tag ?? bentoTag(version);
  const packages = await listPackages(tag);
  if (packages !== null) {
    const options = { signal: AbortSignal.timeout(LOOK_UP_MS) };
    return billOfMaterials(version, packages, await vulnerabilities?.affecting(packages, options));
  }
  throw new NotFoundError(
    `The packages of ${version.model_version_id} are not known: no bento ${tag} with a lock is in this machine's store. Deploying the version packages it.`,
    { details: { bento_tag: tag } },
  );
}

/** The same version with the same packages has the same bill, to the letter. */
export function billOfMaterials(
  version: ModelVersion,
  environment: EnvironmentPackages,
  known?: VulnerabilityReport,
): BillOfMaterials {
  const model = modelComponent(version, environment, known);
  const components = [pythonComponent(environment), ...environment.packages.map(packageComponent)];
  const refs = components.map((one) => one["bom-ref"]);
  const content = {
    metadata: { tools: { components: [TOOL] }, component: model },
    components,
    dependencies: [{ ref: model["bom-ref"], dependsOn: refs }, ...refs.map((ref) => ({ ref }))],
    ...(known !== undefined && {
      vulnerabilities: known.found.map((one) => vulnerabilityIn(one, components)),
    }),
  };
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify(content), BILLS)}`,
    version: 1,
    ...content,
  };
}

const LOOK_UP_MS = 120_000;
const TOOL: Component = { type: "application", "bom-ref": "model-deployer", name: "model-deployer" };

function modelComponent(
  { model_version_id, model_name, version, artifact_digest, preprocessing_digest, signed_by }: ModelVersion,
  { bento_tag, has_licences }: EnvironmentPackages,
  known: VulnerabilityReport | undefined,
): Component {
  const property = (name: string, value: string | null) =>
    value === null ? [] : [{ name: `model-deployer:${name}`, value }];
  return {
    type: "machine-learning-model",
    "bom-ref": model_version_id,
    name: model_name,
    version: String(version),
    properties: [
      ...property("bento_tag", bento_tag),
      ...property("artifact_digest", artifact_digest),
      ...property("preprocessing_digest", preprocessing_digest),
      ...(signed_by ?? []).flatMap((one) => property(`${one.artifact}_signed_by`, signedByText(one))),
      ...property("vulnerabilities_as_of", known?.as_of ?? null),
      ...property("licences", has_licences ? null : "not read: the environment is not made on this machine"),
    ],
  };
}

function pythonComponent({ python }: EnvironmentPackages): Component {
  const purl = `pkg:generic/python@${encodeURIComponent(python)}`;
  return { type: "platform", "bom-ref": purl, name: "python", version: python, purl };
}

function packageComponent({
  name,
  version,
  address,
  sha256,
  licence,
}: EnvironmentPackages["packages"][number]): Component {
  const purl = `pkg:pypi/${name}${version === null ? "" : `@${encodeURIComponent(version)}`}${qualifier(address)}`;
  return {
    type: "library",
    "bom-ref": purl,
    name,
    ...(version !== null && { version }),
    purl,
    ...(sha256.length > 0 && { hashes: sha256.map((content) => ({ alg: "SHA-256" as const, content })) }),
    ...(licence !== null && {
      licenses: [
        licence.kind === "expression" ? { expression: licence.text } : { license: { name: licence.text } },
      ],
    }),
  };
}

function vulnerabilityIn(
  { ids, package: name, version, score, severity, summary, fixed }: Vulnerability,
  components: readonly Component[],
): NonNullable<BillOfMaterials["vulnerabilities"]>[number] {
  const [id = "unknown", ...others] = ids;
  const affected = components.filter((one) => one.name === name && one.version === version);
  return {
    "bom-ref": `${id}/${name}`,
    id,
    references: others.map((other) => ({ id: other, source: { name: other.split("-")[0] ?? other } })),
    ratings: [{ ...(score !== null && { score }), severity }],
    description: summary,
    ...(fixed.length > 0 && { recommendation: `mended in ${fixed.join(", ")}` }),
    affects: affected.map((one) => ({ ref: one["bom-ref"] })),
  };
}

/** https://github.com/package-url/purl-spec/blob/main/PURL-SPECIFICATION.rst, qualifiers */
function qualifier(address: string | null): string {
  if (address === null) return "";
  const key = address.startsWith("git+") ? "vcs_url" : address.includes("/") ? "download_url" : "file_name";
  return `?${key}=${encodeURIComponent(address)}`;
}
