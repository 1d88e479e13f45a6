import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DiskFullError, ServiceRefusedError } from "../../../src/agents/model_deployer/errors.ts";
import { typedFileError, withRoom } from "../../../src/agents/model_deployer/file_errors.ts";

describe("a folder that cannot be made", () => {
  let place = "";
  beforeEach(async () => {
    place = await mkdtemp(join(tmpdir(), "model-deployer-files-"));
    await writeFile(join(place, "file"), "");
    await symlink(join(place, "circle"), join(place, "circle"));
  });
  afterEach(() => rm(place, { recursive: true }));

  it.each(["file", "file/below", "circle/below", "x".repeat(300)])(
    "%s is refused with its path and the setting",
    async (name) => {
      const made = mkdir(join(place, name), { recursive: true }).catch((error: unknown) => {
        throw typedFileError(error);
      });
      await expect(made).rejects.toThrow(ServiceRefusedError);
      await expect(made).rejects.toThrow(/cannot be made a folder, .*set MODEL_DEPLOYER_HOME/);
    },
  );
});

describe("work that meets a full disk", () => {
  const full = (): never => {
    throw Object.assign(new Error("no room"), { code: "ENOSPC", path: "/home/x" });
  };

  it("is done again once for each piece of room, and is then a typed error", async () => {
    let [pieces, tries] = [2, 0];
    const work = async () => {
      tries += 1;
      return full();
    };
    await expect(withRoom(() => pieces-- > 0, work)).rejects.toThrow(DiskFullError);
    expect(tries).toBe(3);
  });

  it("is not done again for any other error", async () => {
    const work = async () => {
      throw new RangeError("something else");
    };
    await expect(withRoom(() => expect.fail("room was made"), work)).rejects.toThrow(RangeError);
  });
});
