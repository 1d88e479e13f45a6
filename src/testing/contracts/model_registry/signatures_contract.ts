import { generateKeyPairSync } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import type { AllowedSigners } from "../../../agents/model_deployer/domain/models/signers.ts";
import { signedFiles } from "../../in_memory/signed_files.ts";
import type { Files } from "../../in_memory/run_seed.ts";
import { errorOf } from "../../unexpected_outcome.ts";
import { Bench, MODEL_FILES, options, type ModelRegistryHarness } from "./bench.ts";

function newKey(name: string): { privateKey: string; allowed: AllowedSigners } {
  const { privateKey, publicKey: public_key } = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  const fingerprint = "0123456789abcdef".repeat(4);
  return {
    privateKey,
    allowed: { experiment_id: "churn", signers: [{ kind: "key", name, public_key, fingerprint }] },
  };
}

export function describeSignatures(prepare: () => Promise<ModelRegistryHarness>): void {
  let bench: Bench;
  const { privateKey, allowed } = newKey("release");
  const signed = signedFiles(MODEL_FILES, privateKey);
  const fetch = async (files: Files, signers: AllowedSigners | undefined) => {
    const { run_id } = await bench.harness.seedRun({ models: { model: files } });
    const asked = { ...options, ...(signers && { signers }) };
    return bench.registry.fetchArtifact(`runs:/${run_id}/model`, asked);
  };
  beforeAll(async () => {
    bench = await Bench.prepare(prepare);
  });

  describe("fetchArtifact of signed files", () => {
    it("tells who signed them where somebody has to, and nothing where nobody has to", async () => {
      expect((await fetch(signed, allowed)).signed_by).toEqual({
        kind: "key",
        name: "release",
        signer: "0123456789abcdef".repeat(4),
        subject: null,
      });
      expect((await fetch(signed, undefined)).signed_by).toBeUndefined();
      expect((await fetch(MODEL_FILES, undefined)).signed_by).toBeUndefined();
    });

    it.each<[string, Files, string]>([
      ["unsigned files", MODEL_FILES, "missing"],
      ["an altered file", { ...signed, "data/weights.bin": "9876543210" }, "files_differ"],
      ["an added file", { ...signed, "code/more.py": "1" }, "files_differ"],
      ["a missing file", signedFiles({ ...MODEL_FILES, more: "" }, privateKey), "files_differ"],
      [
        "a file that the signer left out",
        signedFiles({ ...MODEL_FILES, ".git/more.py": "1" }, privateKey, [".git"]),
        "files_not_covered",
      ],
      ["a signature by somebody else", signedFiles(MODEL_FILES, newKey("other").privateKey), "not_allowed"],
      ["a signature that is no JSON", { ...signed, "model.sig": "trust me" }, "unreadable"],
    ])("rejects %s", async (what, files, problem) => {
      const { more: _, ...rest } = files;
      const error = await errorOf(fetch(what === "a missing file" ? rest : files, allowed));
      expect(error).toMatchObject({ code: "artifact_rejected", details: { problem } });
    });
  });
}
