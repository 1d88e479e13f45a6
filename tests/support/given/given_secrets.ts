import {
  type NewSink,
  placeOf,
  type SendableSink,
} from "../../../src/agents/model_deployer/domain/notices/notification_sinks.ts";
import { HomeSecrets } from "../../../src/platform/secrets/secret_keeper.ts";

/** Seals with a key that is not random, and knows the variables it is given. */
export function givenSecrets(variables: Record<string, string> = {}): HomeSecrets {
  return new HomeSecrets({
    key: "5a".repeat(32),
    keyFile: "/nowhere/secrets.key",
    variable: (name) => variables[name],
  });
}

export const SIGNING_SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;

/** A sink with its address sealed, and with its signing secret where it is a webhook. */
export async function sinkAt(
  kind: "webhook" | "slack" | "teams",
  url: string,
  { sink_name = "team", may_be_inside = true } = {},
): Promise<SendableSink> {
  const seal = async (part: "address" | "secret", value: string) =>
    (await givenSecrets().keep(value, placeOf(sink_name, part))).kept;
  const secrets = {
    address: await seal("address", url),
    ...(kind === "webhook" && { secret: await seal("secret", SIGNING_SECRET) }),
  };
  return { sink_name, target: { kind, host: new URL(url).host }, secrets, may_be_inside };
}

/** A webhook that is told of everything, unless told otherwise. */
export async function newSinkAt(
  sink_name: string,
  url: string,
  rule: Partial<Pick<NewSink, "kinds" | "experiment_ids">> = {},
): Promise<NewSink> {
  return { ...(await sinkAt("webhook", url, { sink_name })), kinds: [], experiment_ids: [], ...rule };
}
