import { expect, test } from "vitest";
import { ConfigurationError } from "../../src/agents/model_deployer/errors.ts";
import { readConfiguration } from "../../src/configuration.ts";

test("everything that listens is at 127.0.0.1 unless the environment says otherwise", () => {
  const usual = readConfiguration({});
  expect([usual.bindHost, usual.telemetry.bindHost]).toEqual(["127.0.0.1", "127.0.0.1"]);
  const open = readConfiguration({ MODEL_DEPLOYER_BIND_HOST: "0.0.0.0" });
  expect([open.bindHost, open.telemetry.bindHost]).toEqual(["0.0.0.0", "0.0.0.0"]);
});

test.each(["localhost", "example.org", "::1", "127.0.0.1:80", "300.1.1.1"])(
  "a bind host that is no IPv4 address is refused by its name: %s",
  (host) => {
    const read = () => readConfiguration({ MODEL_DEPLOYER_BIND_HOST: host });
    expect(read).toThrow(ConfigurationError);
    expect(read).toThrow(/MODEL_DEPLOYER_BIND_HOST: an IPv4 address/);
  },
);
