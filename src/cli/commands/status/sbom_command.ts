import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { billOf } from "../../../service/bills/bill_of_materials.ts";
import { type BillOfMaterials, billOfMaterialsSchema } from "../../../service/bills/bill_schemas.ts";
import type { Execute } from "../../invocation/execute.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { report } from "../../invocation/command_report.ts";

export function addBill(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("sbom <version>")
    .description(
      "print the bill of materials of what a version or a deployment is served with, as CycloneDX 1.6",
    )
    .action((named) =>
      execute("sbom", (invocation) =>
        found(invocation, named).then((bill) =>
          report(billOfMaterialsSchema, bill, (shown) => JSON.stringify(shown, null, 2).split("\n")),
        ),
      ),
    );
}

async function found(invocation: Invocation, named: string): Promise<BillOfMaterials> {
  const remote = await invocation.remote();
  if (remote !== null) return remote.ask(billOfMaterialsSchema, `/v1/bills/${encodeURIComponent(named)}`);
  return invocation.withObserver((observer) => billOf(observer, named));
}
