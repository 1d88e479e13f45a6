import type { TestServices } from "../../support/test_services.ts";
import { HarmWorld } from "./harm_world.ts";

let shared: Promise<HarmWorld> | null = null;

/** One world for all rows about harm, for it takes longer to bring up than most of them last. */
export async function sharedHarmWorld(services: TestServices): Promise<HarmWorld> {
  shared ??= HarmWorld.open(services);
  try {
    return await shared;
  } catch (error) {
    shared = null;
    throw error;
  }
}

/** After the last row, and after one that did not hold: the next one begins with a new world. */
export async function closeSharedHarmWorld(): Promise<void> {
  const closing = shared;
  shared = null;
  await closing?.then(
    (world) => world.close(),
    () => undefined,
  );
}
