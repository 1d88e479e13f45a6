import { v5 } from "uuid";

/** Drawn once for all threads of rollouts. */
const NAMESPACE = "21be4499-f047-4dac-8479-be5d6980a32c";

/** The thread of a rollout's runs: a UUID, since Studio's development server takes no other ids (RFC 9562, version 5). */
export const rolloutThread = (rolloutId: string): string => v5(rolloutId, NAMESPACE);
