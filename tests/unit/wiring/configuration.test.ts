import { expect, test } from "vitest";
import { ConfigurationError } from "../../../src/agents/model_deployer/errors.ts";
import { readConfiguration } from "../../../src/wiring/settings/configuration.ts";

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
  ["MODEL_DEPLOYER_APPROVAL_DAYS", ["0", "0.5", "-1", "NaN", "Infinity", "never", "366"]],
  ["MODEL_DEPLOYER_ENVIRONMENT_SECONDS", ["0", "-1", "NaN", "Infinity", "604801"]],
  ["MODEL_DEPLOYER_FETCH_SECONDS", ["0", "-1", "NaN", "Infinity", "604801"]],
  ["MODEL_DEPLOYER_BUILD_SECONDS", ["0", "-1", "NaN", "86401"]],
  ["MODEL_DEPLOYER_START_SECONDS", ["0", "-1", "NaN", "86401"]],
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

test.each(["PRODUCTION", "STAGING", "SHADOW"])(
  "liveness of %s that is no policy is refused with its value, its range and the way out",
  (stage) => {
    const name = `MODEL_DEPLOYER_LIVENESS_${stage}`;
    for (const value of [
      "0/2",
      "-1/2",
      "15",
      "15/1",
      "15/0",
      "15/-2",
      "0.5/2",
      "3601/2",
      "15/101",
      "often",
      "NaN/2",
    ]) {
      const read = () => readConfiguration({ [name]: value });
      expect(read).toThrow(ConfigurationError);
      expect(read).toThrow(
        `${name}: 1 to 3600 seconds and 2 to 100 misses, as in 15/2, not "${value}"; leave it out for its default`,
      );
    }
    expect(readConfiguration({ [name]: "1/2" }).liveness).toMatchObject({
      [stage.toLowerCase()]: { interval_seconds: 1, misses: 2 },
    });
  },
);

test("a log of one byte is refused with its value, and a secret that is refused is not shown", () => {
  const tiny = () => readConfiguration({ MODEL_DEPLOYER_LOG_BYTES: "1" });
  expect(tiny).toThrow(/MODEL_DEPLOYER_LOG_BYTES: .*65536.*, not "1"; leave it out/);
  const secret = () => readConfiguration({ MODEL_DEPLOYER_TOKEN: "hush" });
  expect(secret).toThrow(ConfigurationError);
  expect(secret).not.toThrow(/hush/);
});

test("what a server keeps to has values of its own, and takes others", () => {
  const usual = readConfiguration({});
  expect(usual.serving).toEqual({ predictionSeconds: 14, predictionQueue: 64, bodySeconds: 30 });
  expect(usual.logs).toEqual({ bytes: 8_388_608, files: 3 });
  const patient = readConfiguration({ MODEL_DEPLOYER_PREDICTION_SECONDS: "20.5" });
  expect(patient.serving.predictionSeconds).toBe(20.5);
});

test.each([
  [{}, /SMTP_URL: names no user/],
  [{ MODEL_DEPLOYER_SMTP_URL: "smtps://mail.example.org" }, /SMTP_URL: names no user/],
  [{ MODEL_DEPLOYER_SMTP_URL: "smtps://ana:planted@mail.example.org" }, /SMTP_PASSWORD: is given in/],
  [{ MODEL_DEPLOYER_SMTP_URL: "mail.example.org" }, /SMTP_URL: an address/],
])("a password of the mail server without its user, or beside another: %j", (given, says) => {
  const read = () => readConfiguration({ ...given, MODEL_DEPLOYER_SMTP_PASSWORD: "env:MAIL" });
  expect(read).toThrow(says);
  expect(read).not.toThrow(/planted/);
});
