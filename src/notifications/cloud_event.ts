import { z } from "zod";
import { instantSchema } from "../agents/model_deployer/domain/entities.ts";
import { type Notice, noticeSchema } from "../agents/model_deployer/domain/notices/notices.ts";
import { linkOf } from "./notice_text.ts";

/** A notice as a CloudEvent in structured mode, https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md. */
export const cloudEventSchema = z.strictObject({
  specversion: z.literal("1.0"),
  /** The same for the same event, whoever delivers it and however often. */
  id: z.string(),
  /** The console's address, which tells one installation from another, or `urn:model-deployer` where none is known. */
  source: z.string(),
  /** `model_deployer.rolled_back` and so on. */
  type: z.string(),
  /** The endpoint; left out where it concerns none. */
  subject: z.string().optional(),
  time: instantSchema,
  datacontenttype: z.literal("application/json"),
  data: noticeSchema.omit({ event_id: true }).extend({
    /** Where the console shows it; null where no address of it is known. */
    link: z.string().nullable(),
  }),
});

export function cloudEventOf(
  { event_id, ...notice }: Notice,
  consoleUrl: string | null,
): z.infer<typeof cloudEventSchema> {
  const { endpoint_name } = notice;
  return {
    specversion: "1.0",
    id: event_id,
    source: consoleUrl ?? "urn:model-deployer",
    type: `model_deployer.${notice.kind}`,
    ...(endpoint_name === null ? {} : { subject: endpoint_name }),
    time: notice.occurred_at,
    datacontenttype: "application/json",
    data: { ...notice, link: linkOf({ event_id, ...notice }, consoleUrl) },
  };
}
