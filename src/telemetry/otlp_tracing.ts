import { context, propagation, trace } from "@opentelemetry/api";
import { ConfigurationError } from "../agents/model_deployer/errors.ts";

export interface Tracing {
  /** Sends what is left. Idempotent. */
  shutdown(): Promise<void>;
}

export interface TracingOptions {
  /** OTLP over HTTP: the base, to which `/v1/traces` is added. */
  endpoint: string;
  serviceName: string;
}

/**
 * Sends the spans of this process by OTLP, and makes its requests carry their trace context on. Leaves alone what
 * the process has registered itself.
 * @throws ConfigurationError where the optional packages are not installed
 */
export async function startTracing({ endpoint, serviceName }: TracingOptions): Promise<Tracing> {
  const { sdk, exporter, resources, hooks, core } = await loadSdk();
  const url = `${endpoint.replace(/\/+$/, "")}/v1/traces`;
  const provider = new sdk.BasicTracerProvider({
    resource: resources.resourceFromAttributes({ "service.name": serviceName }),
    spanProcessors: [new sdk.BatchSpanProcessor(new exporter.OTLPTraceExporter({ url }))],
  });
  context.setGlobalContextManager(new hooks.AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new core.W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);
  return { shutdown: () => provider.shutdown() };
}

/** Only who asks for traces loads them. */
async function loadSdk() {
  try {
    const [sdk, exporter, resources, hooks, core] = await Promise.all([
      import("@opentelemetry/sdk-trace-base"),
      import("@opentelemetry/exporter-trace-otlp-http"),
      import("@opentelemetry/resources"),
      import("@opentelemetry/context-async-hooks"),
      import("@opentelemetry/core"),
    ]);
    return { sdk, exporter, resources, hooks, core };
  } catch (cause) {
    throw new ConfigurationError(
      "OTEL_EXPORTER_OTLP_ENDPOINT asks for traces, and the optional packages that send them are not installed: install model-deployer with its optional dependencies, or leave the variable out.",
      { cause },
    );
  }
}
