import { join } from "node:path";
import { daysLeft } from "../../../keeping/disk_forecast.ts";
import { sizeText } from "../../../keeping/kept_quantities.ts";
import { usageOfPaths } from "../../../platform/disk/disk_usage.ts";
import { roomOf } from "../../../platform/disk/disk_room.ts";
import { SizeHistory } from "../../../platform/disk/size_history.ts";
import type { Configuration } from "../../../wiring/settings/configuration.ts";
import { fine, type DoctorFinding, weak } from "./doctor_finding.ts";

const SOON_DAYS = 14;
/** The parts of a home, each with its folder. */
const PARTS: readonly (readonly [name: string, folder: string])[] = [
  ["bentos", "bentoml"],
  ["artifacts", "artifacts"],
  ["logs", "run"],
  ["routers", "router"],
  ["services", "services"],
  ["MLflow", "mlflow"],
];

/** The sizes of what is kept, and how long the disk lasts if the home grows on as it did. */
export async function checkStorage({ home, keeping }: Configuration): Promise<DoctorFinding> {
  // One after the other with one memory, so that what bento and artifact share is counted once.
  const seen = new Set<string>();
  const sizes: string[] = [];
  for (const [name, folder] of PARTS) {
    const { bytes } = await usageOfPaths([join(home, folder)], seen);
    if (bytes >= 1e5) sizes.push(`${name} ${sizeText(bytes)}`);
  }
  const [room] = await roomOf([home]);
  const days = daysLeft(await new SizeHistory(home).read(), room?.free_bytes ?? 0);
  const found = sizes.length === 0 ? "nothing is kept yet" : sizes.join(", ");
  if (days !== null && days < SOON_DAYS) {
    return weak(`${found}; the disk lasts ${daysText(days)}`, "model-deployer prune --plan");
  }
  const lasts = days === null ? "no growth seen" : `the disk lasts ${daysText(days)} if it grows on so`;
  const by = keeping.pruneDays === null ? "pruned by nobody" : `pruned after ${keeping.pruneDays} days`;
  return fine(`${found}; ${lasts}; ${by}`);
}

function daysText(days: number): string {
  if (days < 2) return `${Math.max(1, Math.round(days * 24))} h`;
  return days > 3650 ? "over ten years" : `${Math.round(days)} days`;
}
