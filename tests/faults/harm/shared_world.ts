import type { TestServices } from "../../support/services/test_services.ts";
import { hold } from "../harness/checked_property.ts";
import { HarmWorld } from "./harm_world.ts";
import type { Removed } from "./opened_home.ts";

/** `open` holds resources already; `up` has a version in production. */
let shared: { open: Promise<HarmWorld>; up: Promise<HarmWorld> } | null = null;
let isOver = false;

/** One world for all rows about harm, for it takes longer to bring up than most of them last. */
export async function sharedHarmWorld(services: TestServices): Promise<HarmWorld> {
  hold(!isOver, () => "the suite has ended");
  if (shared === null) {
    const open = HarmWorld.open(services);
    const up = open.then(async (world) => {
      await world.bringUp(services);
      return world;
    });
    shared = { open, up };
  }
  try {
    return await shared.up;
  } catch (error) {
    await closeSharedHarmWorld();
    throw error;
  }
}

/** After the last row; a case that is still under way finds no other world. */
export async function endHarmWorlds(): Promise<void> {
  isOver = true;
  await closeSharedHarmWorld("with this process");
}

/** After a case that did not hold: the next one begins with a new world. */
export async function closeSharedHarmWorld(removed: Removed = "now"): Promise<void> {
  const closing = shared;
  shared = null;
  await closing?.open.then(
    (world) => world.close(removed),
    () => undefined,
  );
}
