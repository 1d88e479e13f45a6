import { readFile } from "node:fs/promises";

/** What serves it. */
export const REQUIREMENTS = ["mlflow-skinny==3.17.2", "pandas", "numpy"];
const SIGNATURE = {
  inputs: JSON.stringify([{ type: "double", name: "x", required: true }]),
  outputs: JSON.stringify([{ type: "double", required: true }]),
};

/** The files of a model that asks 127.0.0.1 at this port before each prediction, as MLflow would have saved it. */
export async function askingModel(port: number, version: string): Promise<Record<string, string>> {
  const description = {
    flavors: { python_function: { loader_module: "asking_model", code: "code", env: {} } },
    mlflow_version: "3.17.2",
    metadata: { version },
    signature: SIGNATURE,
  };
  return {
    // JSON is YAML.
    MLmodel: JSON.stringify(description),
    "requirements.txt": REQUIREMENTS.join("\n"),
    "upstream.json": JSON.stringify({ host: "127.0.0.1", port }),
    "serving_input_example.json": JSON.stringify({ dataframe_split: { columns: ["x"], data: [[1]] } }),
    "code/asking_model.py": await readFile(new URL("./asking_model.py", import.meta.url), "utf8"),
  };
}
