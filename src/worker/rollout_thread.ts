import { createHash } from "node:crypto";

/** The thread of a rollout's runs. Studio's development server takes UUIDs only: RFC 9562, version 8, of the id's sha256. */
export function rolloutThread(rolloutId: string): string {
  const hex = createHash("sha256").update(rolloutId).digest("hex");
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 0x3) | 0x8).toString(16);
  const [low, mid] = [hex.slice(0, 8), hex.slice(8, 12)];
  return `${low}-${mid}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
