import { parse } from "yaml";
import { z } from "zod";
import type { Format } from "../../agents/model_deployer/domain/models/loading_report.ts";

const text = z.string().nullish().catch(null);
const describedSchema = z.object({
  flavors: z.record(z.string(), z.record(z.string(), z.unknown()).catch({})).nullish().catch(null),
});
/** Libraries whose types hold data and run nothing of their own when they are made. */
const KNOWN = /^(sklearn|numpy|scipy|pandas|xgboost|lightgbm|catboost|collections|builtins|datetime)\./;

/** The formats that an `MLmodel` file names; whatever it does not say clearly counts as code. */
export function describedFormats(description: string): { formats: Set<Format>; trusted_types: string[] } {
  const flavors = flavorsIn(description);
  const python = flavors["python_function"];
  const formats = new Set<Format>();
  if (python === undefined) return { formats, trusted_types: [] };
  if ((python["code"] ?? null) !== null) formats.add("code");
  const loader = text.parse(python["loader_module"]) ?? "";
  const flavor = flavors[loader.replace(/^mlflow\./, "")] ?? {};
  const trusted_types = z.array(z.string()).catch([]).parse(flavor["skops_trusted_types"]);
  formats.add(formatOf(loader, flavor, trusted_types));
  return { formats, trusted_types };
}

function formatOf(loader: string, flavor: Record<string, unknown>, trusted: readonly string[]): Format {
  const ownClass = text.parse(flavor["model_class"]);
  switch (loader) {
    case "mlflow.sklearn":
      if (text.parse(flavor["serialization_format"]) !== "skops") return "pickle";
      return trusted.every((name) => KNOWN.test(name)) ? "skops" : "skops_types";
    case "mlflow.xgboost":
      return ownClass?.startsWith("xgboost.") === false ? "pyfunc" : "xgboost";
    case "mlflow.lightgbm":
      return ownClass?.startsWith("lightgbm.") === false ? "pyfunc" : "lightgbm";
    case "mlflow.catboost":
      return "catboost";
    case "mlflow.onnx":
      return "onnx";
    default:
      return "pyfunc";
  }
}

function flavorsIn(description: string): Record<string, Record<string, unknown>> {
  try {
    return describedSchema.parse(parse(description)).flavors ?? {};
  } catch {
    // Whoever reads its signature says what is wrong with it.
    return {};
  }
}
