import type { CloudDeployment } from "./cloud_objects.ts";

export type CloudCondition =
  | { condition: "running" }
  | { condition: "starting"; reason: string; isBuilding: boolean }
  | { condition: "unresponsive"; reason: string }
  | { condition: "failed"; reason: string };

/** The observation that the platform's word for a deployment's state stands for. Pure. */
export function conditionOf({ name, status }: Pick<CloudDeployment, "name" | "status">): CloudCondition {
  const said = `BentoCloud says that ${name} is ${status}`;
  switch (status) {
    case "running":
      return { condition: "running" };
    case "image-building":
    case "image-build-succeeded":
      return { condition: "starting", reason: said, isBuilding: true };
    case "image-build-failed":
      return { condition: "failed", reason: `${said}: its page there has the log of the build` };
    case "failed":
      return { condition: "failed", reason: `${said}: its page there has the log` };
    case "unhealthy":
      return { condition: "unresponsive", reason: said };
    case "scaled-to-zero":
      return { condition: "unresponsive", reason: `${said}: somebody let it scale to nothing` };
    case "terminating":
    case "terminated":
      return { condition: "failed", reason: `${said}: somebody ended it` };
    default:
      return { condition: "starting", reason: said, isBuilding: false };
  }
}
