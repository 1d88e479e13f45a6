import { randomBytes } from "node:crypto";
import {
  type NewSink,
  placeOf,
  signingSecretPattern,
  type Sink,
} from "../../agents/model_deployer/domain/notices/notification_sinks.ts";
import { InvalidRequestError } from "../../agents/model_deployer/errors.ts";
import type { SecretKeeper } from "../../agents/model_deployer/ports/notification_ports.ts";
import type { SinkRequest } from "./sink_schemas.ts";

interface Wanted extends Pick<NewSink, "target" | "secrets"> {
  /** A signing secret that was made here; null where none was. */
  made: string | null;
}

type Asked = Pick<SinkRequest, "to" | "secret"> & { sink_name: string; may_be_inside: boolean };

/**
 * Where notices go and what is secret of it, as it is kept.
 * @throws InvalidRequestError
 */
export async function targetOf(
  { sink_name, to, secret, may_be_inside }: Asked,
  before: Sink | undefined,
  keeper: SecretKeeper,
): Promise<Wanted> {
  const target = to ?? before?.target;
  if (target === undefined) {
    throw new InvalidRequestError("Say where it goes: a webhook, Slack, Teams or mailboxes.");
  }
  const signing =
    target.kind === "webhook"
      ? await signingOf({ sink_name, secret, isNew: before?.target.kind !== "webhook" }, keeper)
      : null;
  if (signing === null && secret !== undefined) {
    throw new InvalidRequestError(`A secret signs the messages of a webhook; ${sink_name} is none.`);
  }
  const secrets = signing?.kept === undefined ? {} : { secret: signing.kept };
  const made = signing?.made ?? null;
  if (to === undefined || to.kind === "email") {
    return { target: to ?? before?.target ?? { kind: "email", to: [] }, secrets, made };
  }
  const { kept, value } = await keeper.keep(to.address, placeOf(sink_name, "address"));
  const { host } = requireAddress(value, may_be_inside);
  return { target: { kind: to.kind, host }, secrets: { ...secrets, address: kept }, made };
}

async function signingOf(
  { sink_name, secret, isNew }: { sink_name: string; secret: string | undefined; isNew: boolean },
  keeper: SecretKeeper,
): Promise<{ kept?: string; made: string | null }> {
  if (secret === undefined && !isNew) return { made: null };
  const { kept, value } = await keeper.keep(secret ?? newSecret(), placeOf(sink_name, "secret"));
  if (signingSecretPattern.test(value)) return { kept, made: secret === undefined ? value : null };
  throw new InvalidRequestError(
    'A secret is "whsec_" and at least 24 random bytes in base64; left out, one is made.',
  );
}

const newSecret = (): string => `whsec_${randomBytes(32).toString("base64")}`;

/** Names its host alone, for the rest is often a secret. */
function requireAddress(given: string, mayBeInside: boolean): URL {
  const address = URL.canParse(given) ? new URL(given) : null;
  if (address === null || !["http:", "https:"].includes(address.protocol)) {
    throw new InvalidRequestError("The address of a sink begins with https://.");
  }
  const { protocol, username, password, host } = address;
  if (username !== "" || password !== "") {
    throw new InvalidRequestError(
      `The address at ${host} holds a user and password, which are not sent; leave them out.`,
    );
  }
  if (protocol === "http:" && !mayBeInside) {
    throw new InvalidRequestError(
      `${host} is asked without TLS: give an https:// address, or say that it may be inside.`,
    );
  }
  return address;
}
