import { resolve } from "node:path";
import { z } from "zod";
import {
  type Format,
  formatSchema,
  spelledFormats,
} from "../../agents/model_deployer/domain/models/loading_report.ts";
import type { ContainmentPolicy } from "../../platform/containment/containment.ts";
import type { DirectReferences } from "../../platform/python/requirements/requirement_lines.ts";

/** The formats, packages and rights of models on this machine. */
export interface ContainmentSettings {
  /** Formats in which models may be saved. */
  formats: readonly Format[];
  /** How models' servers, and builds of their packages, are kept from the rest of the machine. */
  containment: ContainmentPolicy;
  /** Whether models may name packages by address, as `name @ https://...`. */
  directReferences: DirectReferences;
  /** The file with a trusted root of Sigstore's, by which signers' identities are verified; null without one. */
  sigstoreTrustedRoot: string | null;
  /** Entries of known vulnerabilities, a folder, a zip or a file; null without any. */
  vulnerabilities: string | null;
}

export const containmentVariables = {
  MODEL_DEPLOYER_ISOLATION: z.enum(["preferred", "required", "off"]).default("preferred"),
  MODEL_DEPLOYER_MODEL_NETWORK: modelNetwork(),
  MODEL_DEPLOYER_DIRECT_REFERENCES: z.enum(["refused", "allowed"]).default("refused"),
  MODEL_DEPLOYER_FORMATS: formats(),
  MODEL_DEPLOYER_SIGSTORE_TRUSTED_ROOT: broughtFile(),
  MODEL_DEPLOYER_VULNERABILITIES: broughtFile(),
};

export function containmentOf(values: {
  MODEL_DEPLOYER_ISOLATION: ContainmentPolicy["isolation"];
  MODEL_DEPLOYER_MODEL_NETWORK: "any" | number[];
  MODEL_DEPLOYER_DIRECT_REFERENCES: DirectReferences;
  MODEL_DEPLOYER_FORMATS: Format[];
  MODEL_DEPLOYER_SIGSTORE_TRUSTED_ROOT?: string | undefined;
  MODEL_DEPLOYER_VULNERABILITIES?: string | undefined;
}): ContainmentSettings {
  const { MODEL_DEPLOYER_ISOLATION: isolation, MODEL_DEPLOYER_MODEL_NETWORK: network } = values;
  return {
    containment: { isolation, network },
    formats: values.MODEL_DEPLOYER_FORMATS,
    directReferences: values.MODEL_DEPLOYER_DIRECT_REFERENCES,
    sigstoreTrustedRoot: values.MODEL_DEPLOYER_SIGSTORE_TRUSTED_ROOT ?? null,
    vulnerabilities: values.MODEL_DEPLOYER_VULNERABILITIES ?? null,
  };
}

/** A path, from where the process was started. */
function broughtFile() {
  return z
    .string()
    .min(1)
    .transform((path) => resolve(path))
    .optional();
}

/** `any`, `safe`, or formats by name: `safe,pickle`. */
function formats() {
  const said = `any, safe, or names of ${formatSchema.options.join(", ")} as in safe,pickle`;
  return z
    .string()
    .transform(spelledFormats)
    .pipe(z.array(z.enum(formatSchema.options, said)))
    .default([...formatSchema.options]);
}

/** `any`, `none`, or TCP ports: `443,5432`. */
function modelNetwork() {
  const said = "any, none, or TCP ports as in 443,5432";
  return z
    .string()
    .regex(/^(any|none|\d{1,5}(,\d{1,5})*)$/, said)
    .transform((text) => (text === "any" ? text : text === "none" ? [] : text.split(",").map(Number)))
    .pipe(z.union([z.literal("any"), z.array(z.int(said).min(1, said).max(65_535, said))]))
    .default("any");
}
