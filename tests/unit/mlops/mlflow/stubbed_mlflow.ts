import { afterEach, beforeEach, expect } from "vitest";
import { MLflowClient, type MLflowClientOptions } from "../../../../src/mlops/mlflow/mlflow_client.ts";
import { StubServer } from "./stub_server.ts";

export const signal = new AbortController().signal;

/** A run as MLflow tells of it, with the least that it tells. */
export const RUN = {
  run: { info: { run_id: "r", status: "FINISHED", artifact_uri: "mlflow-artifacts:/0/r/artifacts" } },
};

export interface StubbedMLflow {
  /** The server of the test that runs. */
  readonly server: StubServer;
  readonly url: string;
  /** Closed when the test is over. */
  newClient(options?: Partial<MLflowClientOptions>): MLflowClient;
}

/** A stub server for each test of the file, and clients of it. */
export function stubbedMLflow(): StubbedMLflow {
  let server = new StubServer();
  let url = "";
  const clients: MLflowClient[] = [];
  beforeEach(async () => {
    server = new StubServer();
    url = await server.start();
  });
  afterEach(async () => {
    await server.stop();
    await Promise.all(clients.splice(0).map((client) => client.close()));
  });
  return {
    get server() {
      return server;
    },
    get url() {
      return url;
    },
    newClient: (options = {}) => {
      const client = new MLflowClient({ trackingUri: url, ...options });
      clients.push(client);
      return client;
    },
  };
}

export async function failureOf(call: Promise<unknown>): Promise<Error> {
  try {
    await call;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  return expect.unreachable("the call should have failed");
}
