import { request } from "undici";
import { servedAddress } from "../../../platform/services/served_address.ts";
import type { Configuration } from "../../../wiring/settings/configuration.ts";
import { type DoctorFinding, fine, weak } from "./doctor_finding.ts";

/** Where this home's console and API are served, if they are. */
export async function checkConsole({ home }: Configuration): Promise<DoctorFinding> {
  const url = await servedAddress(home);
  if (url === null) return fine("nothing serves it and the API: model-deployer up, or serve, does");
  try {
    const answer = await request(new URL("healthz", url), { signal: AbortSignal.timeout(5000) });
    await answer.body.dump();
    if (answer.statusCode === 200) return fine(`answers at ${url}, with the API`);
    return weak(`${url} answers ${answer.statusCode}`, "see what listens there");
  } catch {
    // Whoever served it was ended before it could take its note back.
    return weak(`${url}, where it was served last, does not answer`, "model-deployer up, or serve");
  }
}
