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

test.each([
  ["MODEL_DEPLOYER_PREDICTION_SECONDS", ["0", "-1", "NaN", "Infinity", "soon", "3601"]],
  ["MODEL_DEPLOYER_PREDICTION_QUEUE", ["-1", "1.5", "NaN", "10001"]],
  ["MODEL_DEPLOYER_BODY_SECONDS", ["0", "-1", "NaN", "3601"]],
  ["MODEL_DEPLOYER_LOG_BYTES", ["1", "0", "-1", "NaN", "65536.5", "2e9"]],
  ["MODEL_DEPLOYER_LOG_FILES", ["0", "-1", "1.5", "NaN", "21"]],
])("%s refuses %j by its name", (name, values) => {
  for (const value of values) {
    const read = () => readConfiguration({ [name]: value });
    expect(read).toThrow(ConfigurationError);
    expect(read).toThrow(name);
  }
});

test("what a server keeps to has values of its own, and takes others", () => {
  const usual = readConfiguration({});
  expect(usual.serving).toEqual({ predictionSeconds: 14, predictionQueue: 64, bodySeconds: 30 });
  expect(usual.logs).toEqual({ bytes: 8_388_608, files: 3 });
  const patient = readConfiguration({ MODEL_DEPLOYER_PREDICTION_SECONDS: "20.5" });
  expect(patient.serving.predictionSeconds).toBe(20.5);
});
