import { NOTICE_KINDS, noticeKindSchema } from "../../../agents/model_deployer/domain/notices/notices.ts";
import { InvalidRequestError } from "../../../agents/model_deployer/errors.ts";
import { type SinkRequest, sinkRequestSchema } from "../../../service/notifications/sink_schemas.ts";

export interface SinkOptions {
  webhook?: string | undefined;
  slack?: string | undefined;
  teams?: string | undefined;
  email?: string[] | undefined;
  secret?: string | undefined;
  events?: string[] | undefined;
  experiment?: string[] | undefined;
  inside?: true | undefined;
}

/** Settings that are left out stay as they are. @throws InvalidRequestError */
export function sinkRequestOf(options: SinkOptions): SinkRequest {
  const { secret, events, experiment, inside } = options;
  const to = targetOf(options);
  const parsed = sinkRequestSchema.safeParse({
    ...(to && { to }),
    ...(secret !== undefined && { secret }),
    ...(events && { kinds: events.map(kindOf) }),
    ...(experiment && { experiment_ids: experiment }),
    ...(inside && { may_be_inside: true }),
  });
  if (parsed.success) return parsed.data;
  const isMailbox = parsed.error.issues.some(({ path }) => path[1] === "to");
  throw new InvalidRequestError(
    isMailbox
      ? `--email ${JSON.stringify(options.email)}: there is no address of a mailbox in it.`
      : `The sink is not valid: ${parsed.error.issues.map(({ message }) => message).join("; ")}.`,
    { cause: parsed.error },
  );
}

function targetOf({ webhook, slack, teams, email }: SinkOptions): SinkRequest["to"] {
  const given: NonNullable<SinkRequest["to"]>[] = [
    ...(webhook === undefined ? [] : [{ kind: "webhook" as const, address: webhook }]),
    ...(slack === undefined ? [] : [{ kind: "slack" as const, address: slack }]),
    ...(teams === undefined ? [] : [{ kind: "teams" as const, address: teams }]),
    ...(email === undefined ? [] : [{ kind: "email" as const, to: email }]),
  ];
  const [one, ...others] = given;
  if (others.length === 0) return one;
  throw new InvalidRequestError("Say where it goes by one of --webhook, --slack, --teams and --email.");
}

function kindOf(given: string): (typeof NOTICE_KINDS)[number] {
  const known = noticeKindSchema.safeParse(given);
  if (known.success) return known.data;
  throw new InvalidRequestError(`--events ${given}: name one of ${NOTICE_KINDS.join(", ")}.`);
}
