import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { StandInRegistry } from "../support/kubernetes/stand_in_registry.ts";

const PYTHON = "/usr/bin/python3";

/**
 * Images whose lowest layer is this machine: containers of the tests see its files below their own layers. One names its
 * Python, the other one holds Envoy.
 */
export function pushMachineImages(
  registry: StandInRegistry,
  folder: string,
  envoyPath: string,
): { base: string; envoy: string } {
  const version = execFileSync(PYTHON, ["-c", "import platform; print(platform.python_version())"]);
  const path = "PATH=/usr/local/bin:/usr/bin:/bin";
  const base = layerOf(folder, "base", (bin) => {
    symlinkSync(PYTHON, join(bin, "python"));
  });
  const envoy = layerOf(folder, "envoy", (bin) => {
    copyFileSync(envoyPath, join(bin, "envoy"));
  });
  const environment = [path, `PYTHON_VERSION=${version.toString("utf8").trim()}`];
  return {
    base: registry.seed("library/python", configOf(environment, base), { layer: base }),
    envoy: registry.seed("library/envoy", configOf([path], envoy), { layer: envoy }),
  };
}

function layerOf(folder: string, name: string, fill: (bin: string) => void): Buffer {
  const bin = join(folder, name, "usr", "local", "bin");
  mkdirSync(bin, { recursive: true });
  fill(bin);
  const archive = join(folder, `${name}.tar.gz`);
  execFileSync("tar", ["-czf", archive, "-C", join(folder, name), "."]);
  return readFileSync(archive);
}

function configOf(environment: string[], layer: Buffer): object {
  const diff = createHash("sha256").update(gunzipSync(layer)).digest("hex");
  const rootfs = { type: "layers", diff_ids: [`sha256:${diff}`] };
  return { architecture: "amd64", os: "linux", config: { Env: environment }, rootfs };
}
