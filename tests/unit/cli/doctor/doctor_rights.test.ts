import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { checkRights } from "../../../../src/cli/commands/doctor/doctor_rights.ts";

let home = "";

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "model-deployer-rights-"));
  await mkdir(join(home, "services"), { mode: 0o755 });
  await writeFile(join(home, "services", "redis.password"), "secret", { mode: 0o600 });
  await writeFile(join(home, "services", "redis.pid"), "1", { mode: 0o644 });
});

afterEach(async () => {
  await rm(home, { recursive: true });
});

test("a home as it is made is closed to others", async () => {
  await symlink("/tmp", join(home, "link"));
  expect(await checkRights(home)).toMatchObject({ state: "ok" });
  expect(await checkRights(join(home, "nowhere"))).toMatchObject({ state: "ok" });
});

test("a secret that others may read is named, with its mode and what closes it", async () => {
  await chmod(join(home, "services", "redis.password"), 0o640);
  const { state, found, advice } = await checkRights(home);
  expect(state).toBe("degraded");
  expect(found).toBe("others may read or change 1 file of the home: services/redis.password (640)");
  expect(advice).toContain("chmod 600");
});

test("so is whatever others may change", async () => {
  await chmod(join(home, "services"), 0o777);
  expect(await checkRights(home)).toMatchObject({
    state: "degraded",
    found: "others may read or change 1 file of the home: services (777)",
  });
});
