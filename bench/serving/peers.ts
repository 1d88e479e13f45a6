import { fileURLToPath } from "node:url";

/** A row or a thousand as one server takes them. `classes` are the model's answers in the order of the rows. */
export interface Form {
  path: string;
  body: (rows: readonly (readonly number[])[]) => unknown;
}

/** Another way to serve the same model: the packages, the command and the form of a request. */
export interface Peer {
  name: string;
  requirements: readonly string[];
  /** `bin` has the programs of its environment, `directory` the model. */
  command: (given: { bin: string; directory: string; port: number }) => {
    args: string[];
    env?: EnvironmentVariables;
  };
  /** Files to write into `directory` beside the model, for a server that is told by files; `spare` are two more ports. */
  files?: (given: { port: number; spare: readonly number[]; directory: string }) => Record<string, unknown>;
  form: Form;
}

type EnvironmentVariables = Record<string, string>;

const script = (name: string) => fileURLToPath(new URL(`./peers/${name}`, import.meta.url));
const trained = ["scikit-learn==1.9.1", "numpy==2.4.6", "joblib", "pandas==2.3.3"];

const bare: Form = { path: "/predict", body: (rows) => ({ instances: rows }) };
export const named: Form = {
  path: "/invocations",
  body: (rows) => ({ dataframe_split: { columns: columnsOf(rows), data: rows } }),
};
const tensor: Form = {
  path: "/v2/models/model/infer",
  body: (rows) => ({
    inputs: [
      { name: "rows", shape: [rows.length, rows[0]?.length ?? 0], datatype: "FP64", data: rows.flat() },
    ],
  }),
};

export function columnsOf(rows: readonly (readonly number[])[]): string[] {
  return (rows[0] ?? []).map((_, number) => `feature_${number}`);
}

const byScript =
  (name: string): Peer["command"] =>
  ({ bin, directory, port }) => ({ args: [`${bin}/python`, script(name), String(port), directory] });

const byMlserver = (runtime: string, model: string) => ({
  command: ({ bin, directory }: { bin: string; directory: string }) => ({
    args: [`${bin}/mlserver`, "start", directory],
  }),
  files: ({ port, spare, directory }: { port: number; spare: readonly number[]; directory: string }) => ({
    "settings.json": {
      host: "127.0.0.1",
      http_port: port,
      grpc_port: spare[0],
      metrics_port: spare[1],
      parallel_workers: 0,
    },
    "model-settings.json": {
      name: "model",
      implementation: runtime,
      parameters: { uri: `${directory}/${model}`, content_type: "np" },
    },
  }),
});

export const peers: readonly Peer[] = [
  {
    name: "FastAPI, numpy (floor)",
    requirements: [...trained, "fastapi", "uvicorn", "uvloop", "httptools"],
    command: byScript("fastapi_numpy.py"),
    form: bare,
  },
  {
    name: "KServe, own model",
    requirements: [...trained, "kserve==0.21.0"],
    command: byScript("kserve_numpy.py"),
    form: { ...bare, path: "/v1/models/model:predict" },
  },
  {
    name: "MLServer, sklearn runtime",
    requirements: [...trained, "mlserver==1.7.1", "mlserver-sklearn==1.7.1"],
    ...byMlserver("mlserver_sklearn.SKLearnModel", "model.joblib"),
    form: tensor,
  },
  {
    name: "MLServer, mlflow runtime",
    requirements: [
      ...trained,
      "mlserver==1.7.1",
      "mlserver-mlflow==1.7.1",
      "mlflow==3.17.2",
      "skops==0.16.0",
    ],
    ...byMlserver("mlserver_mlflow.MLflowRuntime", "model"),
    form: named,
  },
  {
    name: "LitServe",
    requirements: [...trained, "litserve==0.2.19"],
    command: byScript("litserve_numpy.py"),
    form: bare,
  },
  {
    name: "bare BentoML, batchable",
    requirements: [...trained, "bentoml==1.4.39"],
    command: ({ bin, directory, port }) => ({
      args: [
        ...[`${bin}/bentoml`, "serve", "bento_numpy:Served", "--working-dir", script("")],
        ...["--host", "127.0.0.1", "--port", String(port)],
      ],
      env: { MODEL_DIRECTORY: directory, BENTOML_HOME: `${directory}/bentoml`, BENTOML_DO_NOT_TRACK: "True" },
    }),
    form: { path: "/predict", body: (rows) => ({ rows }) },
  },
  {
    name: "mlflow models serve",
    requirements: [...trained, "mlflow==3.17.2", "skops==0.16.0"],
    command: ({ bin, directory, port }) => ({
      args: [
        `${bin}/mlflow`,
        ...["models", "serve", "--env-manager", "local", "--host", "127.0.0.1"],
        ...["--port", String(port), "--model-uri", `${directory}/model`],
      ],
      env: { MLFLOW_DISABLE_TELEMETRY: "true" },
    }),
    form: named,
  },
  {
    name: "Ray Serve",
    requirements: [...trained, "ray[serve]==2.60.0"],
    command: byScript("ray_numpy.py"),
    form: bare,
  },
];
