import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { EnvironmentLayers } from "../../../../src/mlops/images/environment_layer.ts";
import { ImagePublisher } from "../../../../src/mlops/images/image_publisher.ts";
import { RegistryClient } from "../../../../src/mlops/images/registry_client.ts";
import { StandInRegistry } from "../../../support/kubernetes/stand_in_registry.ts";

const tag = "e2i_classifier:v1";
let folder: string;
let registry: StandInRegistry;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "images-"));
  registry = await StandInRegistry.start();
  await mkdir(join(folder, "bento", "src"), { recursive: true });
  await writeFile(join(folder, "bento", "src", "serve.py"), "print('serving')");
});
afterEach(async () => {
  await registry.close();
  await rm(folder, { recursive: true, force: true });
});

function publisher(repository: string): ImagePublisher {
  const base = registry.seed("library/python", {
    architecture: "amd64",
    os: "linux",
    config: { Env: ["PYTHON_VERSION=3.13.2"] },
    rootfs: { diff_ids: ["sha256:base"] },
  });
  return new ImagePublisher({
    registry: new RegistryClient(() => Promise.resolve(null)),
    repository: `${registry.host}/${repository}`,
    base,
    paths: { bento: "/srv/bento", environment: "/srv/environment" },
    environments: new EnvironmentLayers({
      cacheDirectory: join(folder, "cache"),
      limitSeconds: 300,
      install: (into) => writeFile(join(into, "package.py"), "x = 1"),
    }),
    bentoOf: async (bento_tag) => ({
      bento_tag,
      path: join(folder, "bento"),
      artifact_digest: "d1",
      requirements: ["package"],
    }),
  });
}

test("a registry that goes away at any call, or the end of whoever publishes, leaves an image that is asked for again", async () => {
  const options = { signal: AbortSignal.timeout(300_000) };
  const whole = await publisher("team/whole").publish(tag, options);
  const calls = registry.calls.length;
  expect(calls).toBeGreaterThan(8);
  for (let call = 0; call < calls; call += 1) {
    const repository = `team/models-${call}`;
    registry.leaveAt(call);
    await expect(publisher(repository).publish(tag, options)).rejects.toMatchObject({
      code: "service_unavailable",
    });
    registry.comeBack();
    const image = await publisher(repository).publish(tag, options);
    expect(image.split("@")[1]).toBe(whole.split("@")[1]);
  }
});
