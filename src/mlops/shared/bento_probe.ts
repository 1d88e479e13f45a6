import type { SampleOutcome } from "../../agents/model_deployer/ports/model_server_port.ts";

export interface ExpectedBento {
  process: string;
  bento_tag: string;
  port: number;
}

/** The answer of a bento's server about itself and its model, wherever it runs. */
export interface BentoProbe {
  health(
    server: ExpectedBento,
    signal: AbortSignal,
  ): Promise<{ health: "ready" } | { health: "waiting" | "silent" | "hung" | "foreign"; reason: string }>;
  sample(server: ExpectedBento, signal: AbortSignal): Promise<SampleOutcome>;
}
