import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import {
  ArtifactStore,
  type ArtifactStoreOptions,
} from "../../../../src/mlops/mlflow/artifacts/artifact_store.ts";
import { stubbedMLflow } from "./stubbed_mlflow.ts";

export const URI = "mlflow-artifacts:/m";
export const LIST = "/api/2.0/mlflow-artifacts/artifacts?path=";

/** A stub server and a folder for artifacts for each test of the file. */
export function stubbedStore() {
  const mlflow = stubbedMLflow();
  let parent = "";
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), "artifact-store-"));
  });
  afterEach(async () => {
    await rm(parent, { recursive: true, force: true });
  });
  const directory = () => join(parent, "artifacts");
  return {
    get server() {
      return mlflow.server;
    },
    get parent() {
      return parent;
    },
    get directory() {
      return directory();
    },
    newStore: (limits: Omit<ArtifactStoreOptions, "client" | "directory"> = {}): ArtifactStore =>
      new ArtifactStore({ client: mlflow.newClient({ maximumTries: 2 }), directory: directory(), ...limits }),
    /** The artifacts, without the locks and notes of those who fetched them. */
    artifacts: async (): Promise<string[]> => {
      const names = await readdir(directory()).catch(() => []);
      return names.filter((name) => name !== ".locks" && name !== ".settled").sort();
    },
  };
}
