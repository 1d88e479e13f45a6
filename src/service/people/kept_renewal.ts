import { z } from "zod";
import type { Renewal, VerifiedIdentity } from "../../agents/model_deployer/ports/identity_provider.ts";
import type { SecretKeeper } from "../../agents/model_deployer/ports/notification_ports.ts";

const renewalSchema = z.strictObject({ client_id: z.string(), refresh_token: z.string() });

type Subject = Pick<VerifiedIdentity, "issuer" | "subject">;

const placeOf = ({ issuer, subject }: Subject): string => `session/${issuer}/${subject}`;

/** As it is kept: for this person alone. */
export async function sealedRenewal(
  secrets: SecretKeeper,
  person: Subject,
  renewal: Renewal,
): Promise<string> {
  return (await secrets.keep(JSON.stringify(renewal), placeOf(person))).kept;
}

/** @throws ConfigurationError where its key is not here */
export async function openedRenewal(secrets: SecretKeeper, person: Subject, kept: string): Promise<Renewal> {
  return renewalSchema.parse(JSON.parse(await secrets.open(kept, placeOf(person))));
}
