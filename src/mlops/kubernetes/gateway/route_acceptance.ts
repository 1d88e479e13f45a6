import type { HttpRoute, Parent } from "./http_route.ts";

export type Acceptance =
  | { is: "accepted" }
  /** `attached` is false where no gateway serves the route at all. */
  | { is: "refused"; by: string[]; attached: boolean; reason: string }
  | { is: "pending"; why: string };

const needed = ["Accepted", "ResolvedRefs"] as const;

/**
 * Whether each parent of the route has accepted exactly what it says now: both conditions, of this generation or a later
 * one. An answer to an earlier generation says nothing.
 * @param excused parents that had refused the route before, so that what they say is not about the change
 */
export function acceptanceOf(route: HttpRoute, excused: readonly string[] = []): Acceptance {
  const verdicts = route.spec.parentRefs
    .map((parent) => ({ name: nameOf(parent, route), verdict: verdictOf(parent, route) }))
    .filter(({ name }) => !excused.includes(name));
  const refusals = verdicts.flatMap(({ name, verdict }) =>
    verdict.is === "refused" ? [{ name, ...verdict }] : [],
  );
  if (refusals.length > 0) {
    return {
      is: "refused",
      by: refusals.map(({ name }) => name),
      attached: refusals.every(({ attached }) => attached),
      reason: refusals.map(({ name, reason }) => `gateway ${name}: ${reason}`).join("; "),
    };
  }
  const waiting = verdicts.flatMap(({ name, verdict }) =>
    verdict.is === "pending" ? [`gateway ${name}: ${verdict.why}`] : [],
  );
  return waiting.length === 0 ? { is: "accepted" } : { is: "pending", why: waiting.join("; ") };
}

type Verdict =
  { is: "accepted" } | { is: "refused"; reason: string; attached: boolean } | { is: "pending"; why: string };

/** Of several controllers that speak for one parent, one that accepts suffices. */
function verdictOf(parent: Parent, route: HttpRoute): Verdict {
  const own = route.status.parents.filter(
    ({ parentRef }) => nameOf(parentRef, route) === nameOf(parent, route),
  );
  const verdicts = own.map(({ conditions }): Verdict => {
    const current = conditions.filter((one) => one.observedGeneration >= route.metadata.generation);
    const bad = current.find(({ type, status }) =>
      type === "PartiallyInvalid"
        ? status === "True"
        : needed.some((name) => name === type) && status === "False",
    );
    if (bad !== undefined) {
      const reason = `${bad.type} is ${bad.status}: ${bad.reason} ${bad.message}`.trim();
      return { is: "refused", reason, attached: bad.type !== "Accepted" };
    }
    const missing = needed.filter(
      (name) => !current.some(({ type, status }) => type === name && status === "True"),
    );
    if (missing.length === 0) return { is: "accepted" };
    const newest = Math.max(0, ...conditions.map(({ observedGeneration }) => observedGeneration));
    const why = `its controller has said ${missing.join(" and ")} of no generation from ${route.metadata.generation} on (newest: ${newest})`;
    return { is: "pending", why };
  });
  return (
    verdicts.find(({ is }) => is === "accepted") ??
    verdicts.find(({ is }) => is === "refused") ??
    verdicts[0] ?? { is: "pending", why: "no controller has looked at the route" }
  );
}

/** By name and place: a controller may report a parent with more fields, or fewer, than the route names it by. */
function nameOf({ name, namespace, sectionName, port }: Parent, route: HttpRoute): string {
  const place = `${namespace ?? route.metadata.namespace}/${name}`;
  return [place, sectionName, port].filter((part) => part !== undefined).join("/");
}
