import { signal } from "@preact/signals";

export type Route =
  | { view: "endpoints" }
  | { view: "endpoint"; endpoint: string }
  | { view: "operation"; operation: string }
  | { view: "history"; subject: string }
  | { view: "start" };

/** The view that an address names; one that names none shows all endpoints. */
export function routeOf(hash: string): Route {
  const [view, name] = hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  if (view === "start") return { view };
  if (name === undefined || name === "") return { view: "endpoints" };
  if (view === "endpoints") return { view: "endpoint", endpoint: name };
  if (view === "operations") return { view: "operation", operation: name };
  return view === "history" ? { view, subject: name } : { view: "endpoints" };
}

export function hashOf(route: Route): string {
  switch (route.view) {
    case "endpoints":
      return "#/";
    case "start":
      return "#/start";
    case "endpoint":
      return `#/endpoints/${encodeURIComponent(route.endpoint)}`;
    case "operation":
      return `#/operations/${encodeURIComponent(route.operation)}`;
    case "history":
      return `#/history/${encodeURIComponent(route.subject)}`;
  }
}

export const route = signal<Route>({ view: "endpoints" });

/** Follows the address, and gives each new view to a reader from its heading on. */
export function followAddress(): void {
  const follow = () => {
    route.value = routeOf(location.hash);
  };
  addEventListener("hashchange", () => {
    follow();
    requestAnimationFrame(() => document.querySelector<HTMLElement>("h1")?.focus());
  });
  follow();
}
