import { AgentError } from "../../agents/base/agent_error.ts";
import { ALL, experimentsWith } from "../../agents/model_deployer/domain/access/roles.ts";
import type { Credentials } from "../access/authentication.ts";
import type { Caller } from "../api_route.ts";
import type { FeedEvent } from "./change_feed.ts";
import type { StreamReader } from "./event_streams.ts";
import { refuseRight } from "../../agents/model_deployer/operations/required_rights.ts";

const ENDED = ["not_authenticated", "not_permitted"];

/**
 * A caller as the reader of a stream: gets what belongs to the experiments that are theirs to see, until the token or the
 * roles are no more.
 * @throws NotPermittedError for whoever may see nothing
 */
export async function reader(
  { database, checkSession }: Credentials,
  { principal, token, grants, origin }: Caller,
): Promise<StreamReader> {
  const own = experimentsWith(grants, "look");
  if (own?.size === 0) {
    const asking = { requested_by: principal, origin };
    await refuseRight(database, asking, "look", { extent: ALL, subject: "events" });
  }
  const before = JSON.stringify(grants);
  return {
    principal,
    filter: own === null ? (events) => events : filterFor(own),
    mayRead: async () => {
      try {
        await database.principals.authenticate(token);
        await checkSession({ token, origin });
      } catch (error) {
        if (error instanceof AgentError && ENDED.includes(error.code)) return false;
        throw error;
      }
      return JSON.stringify(await database.access.grantsOf(principal)) === before;
    },
  };
}

/** Vitals name endpoints alone: those are known that were told of before. */
function filterFor(experiments: ReadonlySet<string>): StreamReader["filter"] {
  const endpoints = new Set<string>();
  const sees = (experiment: string | null) => experiment !== null && experiments.has(experiment);
  const own = (one: FeedEvent): FeedEvent[] => {
    switch (one.event) {
      case "endpoint":
        if (!sees(one.data.experiment_id)) return [];
        endpoints.add(one.data.endpoint_name);
        return [one];
      case "operation":
        return sees(one.data.experiment_id) ? [one] : [];
      case "vitals": {
        const seen = Object.entries(one.data).filter(([name]) => endpoints.has(name));
        return seen.length === 0 ? [] : [{ event: "vitals", data: Object.fromEntries(seen) }];
      }
      case "history":
      case "feed":
        return [one];
    }
  };
  return (events) => events.flatMap(own);
}
