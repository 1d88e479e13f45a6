import type { TrafficLedger } from "./ledger.ts";

export interface Answer {
  /** As the router says it. */
  generation: number;
  deployment: string;
  /** As the server itself says it. */
  server: string;
}

/**
 * Faults of an answer to a request that was sent when `acknowledged` was the last generation that the router had
 * acknowledged; null when nothing is. The server's own word and the moment of asking decide by themselves, whatever the
 * router's headers say.
 */
export function wrongWith(answer: Answer, acknowledged: number, ledger: TrafficLedger): string | null {
  const published = ledger.read("published");
  const { generation, deployment, server } = answer;
  let mayAnswer = false;
  for (let later = acknowledged; later <= published; later += 1) {
    mayAnswer ||= ledger.weightOf(later, server) > 0;
  }
  const asked = `asked after generation ${acknowledged} was acknowledged, before ${published + 1} was published`;
  if (!mayAnswer) return `${server} answered without weight: ${asked}`;
  if (server !== deployment) return `${server} answered, and the router says ${deployment}: ${asked}`;
  if (generation < acknowledged || generation > published) {
    return `${server} answered at generation ${generation}: ${asked}`;
  }
  if (ledger.weightOf(generation, server) === 0) {
    return `${server} answered at generation ${generation}, where it has weight 0: ${asked}`;
  }
  return null;
}
