import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { EnvironmentLayers, type InstallPackages } from "../../../../src/mlops/images/environment_layer.ts";
import { ImagePublisher } from "../../../../src/mlops/images/image_publisher.ts";
import { OwnImages } from "../../../../src/mlops/images/own_images.ts";
import { RegistryClient } from "../../../../src/mlops/images/registry_client.ts";
import { registryCredentials } from "../../../../src/mlops/images/registry_credentials.ts";
import { filesIn } from "../../../support/kubernetes/layer_files.ts";
import { StandInRegistry } from "../../../support/kubernetes/stand_in_registry.ts";

const options = { signal: AbortSignal.timeout(300_000) };
const tag = "e2i_classifier:v1";
const paths = { bento: "/srv/bento", environment: "/srv/environment" };
const pythonBase = {
  architecture: process.arch === "arm64" ? "arm64" : "amd64",
  os: "linux",
  config: { Env: ["PATH=/usr/bin", "PYTHON_VERSION=3.13.2"] },
  rootfs: { type: "layers", diff_ids: ["sha256:base"] },
};

let folder: string;
let registry: StandInRegistry;
let installed: string[][];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "images-"));
  registry = await StandInRegistry.start();
  installed = [];
  await writeBento(join(folder, "bento"));
});
afterEach(async () => {
  await registry.close();
  await rm(folder, { recursive: true, force: true });
});

async function writeBento(path: string, at = new Date()): Promise<void> {
  await mkdir(join(path, "src", "model"), { recursive: true });
  await mkdir(join(path, "src", "__pycache__"), { recursive: true });
  for (const [name, text] of [
    ["src/serve.py", "print('serving')"],
    ["src/model/model.pkl", "weights"],
    ["src/__pycache__/serve.pyc", String(at.getTime())],
    ["bento.yaml", `creation_time: ${at.toISOString()}`],
  ] as const) {
    await writeFile(join(path, name), text);
    await utimes(join(path, name), at, at);
  }
}

const install: InstallPackages = async (into, requirements) => {
  installed.push([...requirements]);
  await mkdir(join(into, "bin"));
  await mkdir(join(into, "uvicorn-1.dist-info"));
  await writeFile(join(into, "bin", "uvicorn"), `#!${into}/python`);
  await writeFile(
    join(into, "uvicorn-1.dist-info", "RECORD"),
    `bin/uvicorn,sha256=${into},1\nuvicorn.py,sha256=1,2\n`,
  );
  await writeFile(join(into, "uvicorn.py"), requirements.join("\n"));
};

interface Given {
  cache?: string;
  bento?: string;
  requirements?: string[];
  base?: string;
  repository?: string;
}

function publisher({
  cache = "cache",
  bento = "bento",
  requirements = ["uvicorn==1"],
  base,
  repository,
}: Given = {}) {
  const client = new RegistryClient((host) => registryCredentials(folder, host));
  return new ImagePublisher({
    registry: client,
    repository: repository ?? `${registry.host}/team/models`,
    base: base ?? registry.seed("library/python", pythonBase),
    paths,
    environments: new EnvironmentLayers({ cacheDirectory: join(folder, cache), limitSeconds: 300, install }),
    bentoOf: async (bento_tag) => ({
      bento_tag,
      path: join(folder, bento),
      artifact_digest: "d1",
      requirements,
    }),
  });
}

const manifestSchema = z.object({
  config: z.object({ digest: z.string() }),
  layers: z.array(z.object({ digest: z.string() })),
});

function pushed(image: string) {
  const digest = image.split("@")[1] ?? "";
  const content = registry.manifests.get(`team/models/${digest}`)?.content ?? Buffer.from("{}");
  const { config, layers } = manifestSchema.parse(JSON.parse(content.toString("utf8")));
  const blob = (of: string) => registry.blobs.get(`team/models@${of}`) ?? Buffer.alloc(0);
  return { config: blob(config.digest).toString("utf8"), layers: layers.map((layer) => blob(layer.digest)) };
}

describe("an image", () => {
  test("has the base, the packages and the bento's own files, and says what it serves", async () => {
    const image = await publisher().publish(tag, options);
    expect(image).toMatch(new RegExp(`^${registry.host}/team/models@sha256:[0-9a-f]{64}$`));
    const { config, layers } = pushed(image);
    expect(JSON.parse(config)).toMatchObject({
      created: "1970-01-01T00:00:00.000Z",
      config: {
        User: "10001:10001",
        Env: ["PATH=/usr/bin", "PYTHON_VERSION=3.13.2", "PYTHONPATH=/srv/environment"],
        Labels: { "model-deployer.bento-tag": tag, "model-deployer.artifact-digest": "d1" },
      },
      rootfs: {
        diff_ids: ["sha256:base", expect.stringMatching(/^sha256:/), expect.stringMatching(/^sha256:/)],
      },
    });
    const [base, environment, own] = layers;
    expect(base?.toString("utf8")).toBe("the files of a base");
    const packages = await filesIn(environment ?? Buffer.alloc(0));
    expect([...packages.keys()].filter((name) => !name.endsWith("/"))).toEqual([
      "srv/environment/uvicorn-1.dist-info/RECORD",
      "srv/environment/uvicorn.py",
    ]);
    expect(packages.get("srv/environment/uvicorn-1.dist-info/RECORD")).toBe("uvicorn.py,sha256=1,2\n");
    const bento = await filesIn(own ?? Buffer.alloc(0));
    expect([...bento.keys()].filter((name) => !name.endsWith("/"))).toEqual([
      "srv/bento/src/model/model.pkl",
      "srv/bento/src/serve.py",
    ]);
  });

  test("is the same to the last bit wherever and whenever it is made", async () => {
    const first = await publisher().publish(tag, options);
    await registry.close();
    registry = await StandInRegistry.start();
    await writeBento(join(folder, "elsewhere"), new Date(1_000_000_000_000));
    const again = await publisher({ cache: "other", bento: "elsewhere" }).publish(tag, options);
    expect(again.split("@")[1]).toBe(first.split("@")[1]);
    expect(installed).toHaveLength(2);
  });

  test("is found where it was made before, and shares its packages with others", async () => {
    const first = await publisher().publish(tag, options);
    const received = registry.received;
    registry.calls.length = 0;
    expect(await publisher({ cache: "other" }).publish(tag, options)).toBe(first);
    expect(registry.calls.filter((call) => /^(POST|PUT)/.test(call))).toEqual([]);
    const other = await publisher().publish("e2i_other:v1", options);
    expect(other).not.toBe(first);
    expect(installed).toEqual([["uvicorn==1"]]);
    expect(registry.received - received).toBeLessThan(2000);
    expect(await publisher().isPublished(tag, options.signal)).toBe(true);
    expect(await publisher().isPublished("e2i_none:v1", options.signal)).toBe(false);
  });

  test("is pushed although the registry fails now and then, or asks who pushes", async () => {
    registry.credentials = Buffer.from("robot:secret").toString("base64");
    const auths = { [registry.host]: { auth: registry.credentials } };
    await writeFile(join(folder, "config.json"), JSON.stringify({ auths }));
    registry.fail(2);
    const image = await publisher().publish(tag, options);
    expect(pushed(image).layers).toHaveLength(3);
  });

  test("leaves nothing behind but the cached packages", async () => {
    const before = (await readdir(tmpdir())).filter((name) => name.startsWith("model-deployer-"));
    await publisher().publish(tag, options);
    const after = (await readdir(tmpdir())).filter((name) => name.startsWith("model-deployer-"));
    expect(after.filter((name) => !before.includes(name))).toEqual([]);
  });
});

describe("what is refused, with the way out", () => {
  test("a registry that answers with a page", async () => {
    const subject = publisher();
    registry.page = "<!doctype html><title>Sign in</title>";
    await expect(subject.publish(tag, options)).rejects.toThrow(
      /a page of HTML: is the host in MODEL_DEPLOYER_IMAGE_REPOSITORY and MODEL_DEPLOYER_IMAGE_BASE that of a registry\?/,
    );
  });

  test("nobody is logged in", async () => {
    registry.credentials = "cm9ib3Q6c2VjcmV0";
    await expect(publisher().publish(tag, options)).rejects.toThrow(
      /wrong password; log in with `docker login`/,
    );
  });

  test("a base that is not there, has no Python or is for another machine", async () => {
    const gone = `${registry.host}/library/python@sha256:${"0".repeat(64)}`;
    await expect(publisher({ base: gone }).publish(tag, options)).rejects.toThrow(/is not in its registry/);
    const bare = registry.seed("library/bare", { ...pythonBase, config: {} });
    await expect(publisher({ base: bare }).publish(tag, options)).rejects.toThrow(/does not say its Python/);
  });

  test("somebody's own image without the label, with another one, or none", async () => {
    const client = new RegistryClient(() => Promise.resolve(null));
    const own = new OwnImages(client, `${registry.host}/team/{name}:{version}`);
    const labelled = (value: string) => {
      const config = { Labels: { "model-deployer.bento-tag": value } };
      return registry.seed("team/e2i_classifier", { ...pythonBase, config }, { tag: "v1" });
    };
    await expect(own.publish(tag, options)).rejects.toThrow(/not in its registry: build the image of e2i_cl/);
    registry.seed("team/e2i_classifier", pythonBase, { tag: "v1" });
    await expect(own.publish(tag, options)).rejects.toThrow(
      /has no label model-deployer\.bento-tag.*build it with --label model-deployer\.bento-tag=e2i_classifier:v1/,
    );
    labelled("e2i_other:v1");
    await expect(own.publish(tag, options)).rejects.toThrow(/bento-tag=e2i_other:v1/);
    const image = labelled(tag);
    expect(await own.publish(tag, options)).toBe(image);
    expect(await own.isPublished("e2i_none:v1", options.signal)).toBe(false);
  });

  test("content of another digest than its name", async () => {
    const base = registry.seed("library/python", pythonBase);
    const name = base.slice(registry.host.length + 1).replace("@", "/");
    registry.manifests.set(name, { content: Buffer.from('{"schemaVersion":2}'), type: "application/json" });
    await expect(publisher({ base }).publish(tag, options)).rejects.toThrow(/gave content of the digest/);
  });

  test("credentials in a helper", async () => {
    const config = { auths: { [registry.host]: {} }, credsStore: "desktop" };
    await writeFile(join(folder, "config.json"), JSON.stringify(config));
    registry.credentials = "cm9ib3Q6c2VjcmV0";
    await expect(publisher().publish(tag, options)).rejects.toThrow(
      /in the helper desktop, which is not asked/,
    );
  });
});
