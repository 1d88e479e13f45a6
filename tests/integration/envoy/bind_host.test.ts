import { beforeAll, describe, expect, it } from "vitest";
import { EndpointCreationError } from "../../../src/agents/model_deployer/errors.ts";
import { makeEnvoyFixture, prepareEnvoy, type EnvoyFixture } from "./fixture.ts";

beforeAll(prepareEnvoy, 20 * 60_000);

const options = { signal: new AbortController().signal };

const within = (test: (fixture: EnvoyFixture) => Promise<void>) => async () => {
  const fixture = await makeEnvoyFixture();
  try {
    await test(fixture);
  } finally {
    await fixture.dispose();
  }
};

describe("an endpoint", () => {
  it.runIf(process.platform === "linux")(
    "listens at the host that it was first opened with, and at no other",
    within(async ({ router, secondRouter, predict, crash }) => {
      const elsewhere = secondRouter({ bindHost: "127.0.0.2" });
      const { endpoint_url: url } = await elsewhere.open("churn", options);
      expect(url).toMatch(/^http:\/\/127\.0\.0\.2:\d+$/);
      expect((await predict(url)).status).toBe(503);
      await expect(predict(url.replace("127.0.0.2", "127.0.0.1"))).rejects.toThrow(/ECONNREFUSED/);
      await crash("churn");
      expect(await router.open("churn", options)).toEqual({ endpoint_url: url });
    }),
  );

  it(
    "is refused at a host that is not this machine's",
    within(async ({ secondRouter }) => {
      const opening = secondRouter({ bindHost: "192.0.2.1" }).open("churn", options);
      await expect(opening).rejects.toThrow(EndpointCreationError);
      await expect(opening).rejects.toThrow(/192\.0\.2\.1 is no address of this machine/);
    }),
  );
});
