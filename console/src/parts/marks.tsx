import type { EndpointView } from "../api/answer_schemas.ts";

const HEALTH = {
  ok: ["●", "serving well"],
  degraded: ["▲", "degraded"],
  down: ["■", "down"],
  idle: ["○", "no traffic"],
  unknown: ["◌", "not looked at yet"],
} as const;

/** A sign and a word, so that nobody has to tell colours apart. */
export function HealthMark({ health }: { health: EndpointView["health"] }) {
  const [sign, word] = HEALTH[health.state];
  return (
    <span class={`health health-${health.state}`} title={health.reasons.join("\n")}>
      <span aria-hidden="true">{sign}</span> {word}
    </span>
  );
}

const STATUS_WORDS: Record<string, string> = {
  rolled_back: "rolled back",
  awaiting_approval: "waits for approval",
};

export function StatusTag({ status }: { status: string }) {
  return <span class={`tag tag-${status}`}>{STATUS_WORDS[status] ?? status.replaceAll("_", " ")}</span>;
}
