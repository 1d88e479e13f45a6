import { expect, test } from "vitest";
import { maskedConfiguration } from "../../../../src/cli/commands/doctor/masked_configuration.ts";
import { readConfiguration } from "../../../../src/wiring/settings/configuration.ts";

const SECRET = "planted-5ecret-value";
const inUrl = (scheme: string) => `${scheme}://deployer:${SECRET}@collector.example:1/base`;

/** One secret in every variable that takes one. */
const planted = {
  DATABASE_URL: `${inUrl("postgresql")}?sslpassword=${SECRET}`,
  REDIS_URL: inUrl("redis"),
  MLFLOW_TRACKING_URI: inUrl("https"),
  MLFLOW_TRACKING_USERNAME: "deployer",
  MLFLOW_TRACKING_PASSWORD: SECRET,
  SUPABASE_URL: inUrl("https"),
  SUPABASE_KEY: SECRET,
  MODEL_DEPLOYER_TOKEN: SECRET,
  MODEL_DEPLOYER_CHECKPOINTS_URL: inUrl("postgres"),
  OTEL_EXPORTER_OTLP_ENDPOINT: inUrl("https"),
  MODEL_DEPLOYER_SMTP_URL: "smtps://deployer@mail.example:465",
  MODEL_DEPLOYER_SMTP_PASSWORD: SECRET,
  MODEL_DEPLOYER_OIDC_ISSUER: "https://id.example",
  MODEL_DEPLOYER_OIDC_CLIENT_ID: "console",
  MODEL_DEPLOYER_OIDC_CLIENT_SECRET: SECRET,
  MODEL_DEPLOYER_PROMETHEUS_URL: inUrl("https"),
  MODEL_DEPLOYER_PROMETHEUS_TOKEN: SECRET,
  MODEL_DEPLOYER_ENDPOINT_KEY: SECRET,
  MODEL_DEPLOYER_SECRETS_KEY: "5a".repeat(32),
};

test("what is in force is shown without any secret, wherever it stands", () => {
  const shown = maskedConfiguration(readConfiguration(planted));
  expect(JSON.stringify(shown)).not.toContain(SECRET);
  expect(JSON.stringify(shown)).not.toContain("5a5a");
  expect(shown).toMatchObject({
    databaseUrl: "postgresql://deployer:***@collector.example:1/base?sslpassword=***",
    supabaseKey: "set, not shown",
    token: "set, not shown",
  });
  expect(shown["telemetry.otlpEndpoint"]).toContain("collector.example");
});

test("what is not set is said to be not set", () => {
  expect(maskedConfiguration(readConfiguration({}))).toMatchObject({
    databaseUrl: "not set",
    token: "not set",
  });
});
