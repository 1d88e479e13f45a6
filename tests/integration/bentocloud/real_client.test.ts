import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pushBento } from "../../../src/mlops/bentocloud/bento_push.ts";
import { childEnvironment } from "../../../src/platform/processes/child_environment.ts";
import { StandInCloud } from "../../support/bentocloud/stand_in_cloud.ts";
import { openWorkshop, type Workshop } from "../bentoml/workshop.ts";

let cloud: StandInCloud;
let workshop: Workshop;
let tag: string;
beforeAll(async () => {
  cloud = await StandInCloud.start();
  workshop = await openWorkshop();
  tag = await workshop.pack("classifier");
});
afterAll(async () => {
  await cloud.close();
  await workshop.close();
});

const options = { signal: AbortSignal.timeout(600_000) };
const settings = () => ({
  bentoml: workshop.tools.bentoml,
  home: workshop.home,
  endpoint: cloud.address,
  token: cloud.token,
  limitSeconds: 300,
});

test("the pinned client pushes a bento of ours, and what it says of a wrong key is told", async () => {
  await expect(pushBento(tag, { ...settings(), token: "another-key" }, options)).rejects.toThrow(
    new RegExp(`${tag} cannot be pushed to BentoCloud: .*(unauthorized|401|login)`, "is"),
  );
  expect(cloud.uploadStatus(tag)).toBeUndefined();
  await pushBento(tag, settings(), options);
  expect(cloud.uploadStatus(tag)).toBe("success");
  await pushBento(tag, settings(), options);
});

test("the stand-in is one that the real client takes for BentoCloud, from push to delete", async () => {
  const script = fileURLToPath(new URL("client_life.py", import.meta.url));
  const { stdout } = await execa(workshop.tools.python, [script, tag, "by-hand"], {
    env: childEnvironment({
      BENTOML_HOME: workshop.home,
      BENTOML_DO_NOT_TRACK: "True",
      BENTO_CLOUD_API_ENDPOINT: cloud.address,
      BENTO_CLOUD_API_KEY: cloud.token,
    }),
    extendEnv: false,
    timeout: 600_000,
  });
  expect(stdout).toContain("running");
  expect(stdout).toContain(tag);
  expect(cloud.deployments.requests()).toEqual([]);
});
