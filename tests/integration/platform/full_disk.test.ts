import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, inject, it } from "vitest";
import { DiskFullError } from "../../../src/agents/model_deployer/errors.ts";
import { withRoom } from "../../../src/agents/model_deployer/file_errors.ts";
import { filesWithRoom, GenerationFence } from "../../../src/mlops/envoy/generation_fence.ts";
import { DiskReserve } from "../../../src/platform/disk/disk_reserve.ts";
import { roomOf, shortages } from "../../../src/platform/disk/disk_room.ts";
import {
  childEnvironment,
  findProcess,
  startProcess,
  stopProcess,
} from "../../../src/platform/processes/managed_process.ts";
import { startLocalServices, stopLocalServices } from "../../../src/platform/services/local_services.ts";
import { mountSmallDisk, type SmallDisk } from "../../support/services/small_disk.ts";

const MB = 1024 * 1024;
const RESERVE_BYTES = 4 * MB;

const probe = await mountSmallDisk(1);
if (typeof probe === "string") process.stderr.write(`skipped: a disk that is really full: ${probe}\n`);
else await probe.remove();

describe.skipIf(typeof probe === "string")("a disk that is really full", () => {
  let disk: SmallDisk;
  afterEach(() => disk.remove());

  async function given(
    megabytes = 16,
  ): Promise<{ reserve: DiskReserve; fence: GenerationFence; target: string }> {
    const mounted = await mountSmallDisk(megabytes);
    if (typeof mounted === "string") return expect.fail(mounted);
    disk = mounted;
    const reserve = new DiskReserve({ home: disk.path, reserveBytes: RESERVE_BYTES });
    const folders = { claims: join(disk.path, "claims"), pending: join(disk.path, "pending") };
    const fence = new GenerationFence(
      folders,
      filesWithRoom(() => reserve.release()),
    );
    await fence.prepare();
    return { reserve, fence, target: join(disk.path, "rds.json") };
  }

  it("takes a change of the route out of the reserve, whole, and makes the reserve again when there is room", async () => {
    const { reserve, fence, target } = await given();
    expect(await reserve.keep()).toBe(RESERVE_BYTES);
    disk.fill();
    const content = JSON.stringify({ weights: "x".repeat(20_000) });
    expect(await fence.claim(1)).toEqual({ outcome: "claimed" });
    expect(await fence.publish(1, target, content)).toEqual({ outcome: "published" });
    expect(await readFile(target, "utf8")).toBe(content);
    expect(statSync(reserve.path).size).toBeLessThan(RESERVE_BYTES);
    expect(await reserve.keep()).toBeLessThan(RESERVE_BYTES);
    await rm(join(disk.path, "filling"));
    expect(await reserve.keep()).toBe(RESERVE_BYTES);
  });

  it("lasts for several changes while something else takes whatever becomes free", async () => {
    const { reserve, fence, target } = await given();
    await reserve.keep();
    for (let generation = 1; generation <= 3; generation += 1) {
      disk.fill();
      await fence.claim(generation);
      const content = `${generation}${"x".repeat(20_000)}`;
      expect(await fence.publish(generation, target, content)).toEqual({ outcome: "published" });
      expect(await readFile(target, "utf8")).toBe(content);
    }
  });

  it("takes a change of the route out of the reserve where the disk has bytes left and no room for one more file", async () => {
    const { reserve, fence, target } = await given();
    await reserve.keep();
    disk.fillWithFiles();
    const content = JSON.stringify({ weights: "x".repeat(20_000) });
    expect(await fence.claim(1)).toEqual({ outcome: "claimed" });
    expect(await fence.publish(1, target, content)).toEqual({ outcome: "published" });
    expect(await readFile(target, "utf8")).toBe(content);
    disk.empty();
    expect(await reserve.keep()).toBe(RESERVE_BYTES);
    disk.fillWithFiles();
    expect(reserve.release()).toBe(true);
    await expect(fence.claim(2)).resolves.toEqual({ outcome: "claimed" });
  });

  it("starts what has served before out of the reserve, and says in one line which file a process lacks", async () => {
    const { reserve } = await given();
    await reserve.keep();
    disk.fillWithFiles();
    const start = async () => {
      const run = { name: "server", runDirectory: disk.path, command: "/bin/sleep", args: ["60"] };
      await startProcess({ ...run, env: childEnvironment() });
    };
    await expect(start()).rejects.toThrow(DiskFullError);
    await expect(start()).rejects.toThrow(
      /^[^\n]*server\.lock cannot be written, for its disk is full[^\n]*$/,
    );
    await withRoom(() => reserve.release(), start);
    expect(await findProcess(disk.path, "server")).not.toBeNull();
    await stopProcess(disk.path, "server", { graceMs: 0 });
  });

  it("leaves a rollback its stores: they start out of the reserve, and a registry that cannot start is done without", async () => {
    const { reserve } = await given();
    const need = { postgres: false, redis: true, mlflow: true };
    const folder = join(disk.path, "services");
    mkdirSync(folder);
    writeFileSync(join(folder, "mlflow.port"), "20202");
    await reserve.keep();
    disk.fillWithFiles();
    const told: string[] = [];
    const asked = { homeDirectory: disk.path, cacheDirectory: inject("cacheDirectory"), need };
    const lacking = startLocalServices({ ...asked, mayFollow: ["mlflow"] });
    await expect(lacking).rejects.toThrow(/redis.* cannot be written, for its disk is full/);
    const { redisUrl, mlflowUrl } = await startLocalServices({
      ...asked,
      mayFollow: ["mlflow"],
      makeRoom: () => reserve.release(),
      onProgress: (line) => told.push(line),
    });
    expect(redisUrl).toMatch(/^redis:/);
    expect(mlflowUrl).toBe("http://127.0.0.1:20202");
    await stopLocalServices(disk.path);
  });

  it("is a typed error with the path and the way out once nothing is left, and the former route stays", async () => {
    const { fence, target } = await given();
    await fence.claim(1);
    await fence.publish(1, target, "before");
    disk.fill();
    const publish = fence.publish(1, target, "x".repeat(20_000));
    await expect(publish).rejects.toThrow(DiskFullError);
    await expect(publish).rejects.toMatchObject({ code: "disk_full", retryable: true });
    await expect(publish).rejects.toThrow(
      /pending\/1\.\S+ cannot be written, for its disk is full: free room there/,
    );
    expect(await readFile(target, "utf8")).toBe("before");
  });

  it("is warned of before it is full", async () => {
    await given();
    const home = join(disk.path, "home-that-does-not-exist-yet");
    expect(shortages(await roomOf([home]), 15 * MB)).toEqual([]);
    disk.fill();
    disk.fillWithFiles();
    const sentences = shortages(await roomOf([home, disk.path]), 15 * MB);
    expect(sentences).toEqual([
      expect.stringContaining(`the disk of ${home} has 0 MB left; free some before it is full`),
      expect.stringContaining(`the disk of ${home} has room for 0 more files; free some`),
    ]);
  });

  it("keeps no reserve where that would fill it, and none where none is wanted", async () => {
    await given(6);
    mkdirSync(join(disk.path, "none"));
    expect(await new DiskReserve({ home: disk.path, reserveBytes: RESERVE_BYTES }).keep()).toBe(0);
    expect(await new DiskReserve({ home: join(disk.path, "none"), reserveBytes: 0 }).keep()).toBe(0);
  });
});
