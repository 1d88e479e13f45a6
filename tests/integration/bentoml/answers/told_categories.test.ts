import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { expect, test } from "vitest";
import { z } from "zod";
import { ensureToolsEnvironment } from "../../../../src/platform/python/python_environment.ts";
import { cacheDirectory } from "../workshop.ts";

const template = fileURLToPath(new URL("../../../../src/mlops/bentoml/service_template/", import.meta.url));

/** A booster that tells what it is given; `bench:answers` asks the real ones, with pandas 2. */
const SCRIPT = `
import json, sys, types
import pandas
from model_deployer_serving.model.trained_categories import tell_categories

class Booster:
    pandas_categorical = [["north", "south"], [0, 1, 2]]
    params = {"categorical_column": [0, 2]}

    def predict(self, data):
        return [str(kind) for kind in getattr(data, "dtypes", [])]

sys.modules["lightgbm"] = types.SimpleNamespace(Booster=Booster)
tell_categories()
tell_categories()
table = pandas.DataFrame({"place": ["south"], "x": [1.5], "floor": [2]})
own = table.assign(place=table.place.astype("category"))
told = {"a table": table, "one with categories of its own": own, "an array": table[["x"]].to_numpy(), "no table": [1]}
print(json.dumps({"pandas": pandas.__version__, "given": {name: Booster().predict(data) for name, data in told.items()}}))
`;

const toldSchema = z.object({ pandas: z.string(), given: z.record(z.string(), z.array(z.string())) });

test("a booster is told its categories by the newest pandas, too, and nothing else than a table without any", async () => {
  const { python } = await ensureToolsEnvironment({ cacheDirectory });
  const { stdout } = await execa(python, ["-B", "-c", SCRIPT], { env: { PYTHONPATH: template } });
  const { pandas, given } = toldSchema.parse(JSON.parse(stdout.trim().split("\n").at(-1) ?? ""));
  expect(Number.parseInt(pandas, 10)).toBeGreaterThanOrEqual(3);
  expect(given["a table"]).toEqual(["category", "float64", "category"]);
  expect(given["one with categories of its own"]).toEqual(["category", "float64", "int64"]);
  expect([given["an array"], given["no table"]]).toEqual([[], []]);
});
