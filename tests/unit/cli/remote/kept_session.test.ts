import { mkdtemp, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { keepSession, keptSession } from "../../../../src/cli/remote/kept_session.ts";

test("a session whose file was cut short is none, and nobody is shown an error of its reading", async () => {
  const folder = await mkdtemp(join(tmpdir(), "session-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const environment = { XDG_CONFIG_HOME: folder };
  const url = "https://models.example.org";
  const session = { url, token: "a-long-secret", expires_at: "2999-01-01T00:00:00Z" };
  const path = await keepSession(session, environment);
  expect(await keptSession(url, environment)).toBe("a-long-secret");
  await truncate(path, 20);
  expect(await keptSession(url, environment)).toBeNull();
});
