import { NotFoundError } from "../../agents/model_deployer/errors.ts";
import { reconciliationReportSchema } from "../../service/report_schemas.ts";
import { doctorReportSchema } from "../../service/machine/machine_schemas.ts";
import { type ApiRoute, apiRoute } from "../api_route.ts";

const LONGEST_MS = 600_000;

const doctor = apiRoute(
  {
    method: "get",
    path: "/v1/doctor",
    tag: "looking",
    needs: { right: "administer", of: "all" },
    summary: "Each part of the machine that serves, what is wrong with it and what to do; secrets are masked",
    answer: doctorReportSchema,
  },
  async ({ examine }) => {
    if (examine === undefined) throw new NotFoundError("Nothing looks at the machine of this server.");
    return examine();
  },
);

const reconcile = apiRoute(
  {
    method: "post",
    path: "/v1/reconciliations",
    tag: "acting",
    needs: { right: "act", of: "all" },
    summary:
      "Brings MLflow, the router and the servers back to what the database says, and tells what differed",
    answer: reconciliationReportSchema,
  },
  // A caller who goes away does not cut what has begun.
  ({ actingAs }, { caller }) => actingAs(caller).reconcile({ signal: AbortSignal.timeout(LONGEST_MS) }),
);

export const machineRoutes: ApiRoute[] = [doctor, reconcile];
