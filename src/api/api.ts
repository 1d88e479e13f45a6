import { Hono } from "hono";
import { secureHeaders } from "hono/secure-headers";
import type { StatusSource } from "../service/status/gather_status.ts";
import type { DoctorReport } from "../service/machine/machine_schemas.ts";
import { checkSession } from "../service/people/checked_session.ts";
import type { SignIns } from "../service/people/opened_session.ts";
import { sessionSchema } from "../service/people/sign_in_schemas.ts";
import { actingDeployers } from "./access/acting_deployers.ts";
import type { ApiParts, ServedDeployer } from "./api_parts.ts";
import type { ApiRoute } from "./api_route.ts";
import {
  authenticated,
  type Credentials,
  endSession,
  keepToken,
  refuseForeignOrigin,
} from "./access/authentication.ts";
import { addConsole, type ConsoleFiles } from "./console_files.ts";
import { ChangeFeed } from "./streams/change_feed.ts";
import { openApiDocument } from "./document.ts";
import { TooManyReplaysError } from "./api_errors.ts";
import { fewAtOnce } from "./few_at_once.ts";
import { EventStreams, type StreamLimits, USUAL_LIMITS } from "./streams/event_streams.ts";
import { problemResponse } from "./problem.ts";
import { answerUnknown } from "./unknown_paths.ts";
import { actionRoutes } from "./routes/action_routes.ts";
import { operationRoutes } from "./routes/operation_routes.ts";
import { settingsRoutes } from "./routes/settings_routes.ts";
import { auditRoutes } from "./routes/audit_routes.ts";
import { ingressRoutes } from "./routes/ingress_routes.ts";
import { machineRoutes } from "./routes/machine_routes.ts";
import { notificationRoutes } from "./routes/notification_routes.ts";
import { principalRoutes } from "./routes/principal_routes.ts";
import { readRoutes } from "./routes/read_routes.ts";
import { detailRoutes } from "./routes/detail_routes.ts";
import { rowRoutes } from "./routes/row_routes.ts";
import { addSignIn } from "./access/sign_in.ts";
import { reader } from "./streams/stream_reader.ts";
import { VitalsWatch } from "./streams/vitals_watch.ts";

export interface ApiOptions {
  deployer: ServedDeployer;
  statusSource: StatusSource;
  version: string;
  /** Receives errors that are none of ours. */
  onUnexpected: (error: unknown) => void;
  limits?: Partial<StreamLimits>;
  /** Null, or left out: nobody signs in by a provider. */
  signIns?: SignIns | null;
  /** Looks at each part of the machine that serves; left out, nobody does. */
  examine?: () => Promise<DoctorReport>;
  /** Where browsers reach it, where that is not the address that it is asked at. */
  publicUrl?: string | null;
  /** The built page, served at `/`. */
  console?: ConsoleFiles;
}

export interface Api {
  fetch: Hono["fetch"];
  /** How many event streams are open. */
  streams(): number;
  end(): void;
}

/** All that the API answers with a document, beside sessions and its own description. */
export const ROUTES: readonly ApiRoute[] = [
  ...readRoutes,
  ...detailRoutes,
  ...rowRoutes,
  ...actionRoutes,
  ...operationRoutes,
  ...principalRoutes,
  ...auditRoutes,
  ...settingsRoutes,
  ...notificationRoutes,
  ...ingressRoutes,
  ...machineRoutes,
];

const LOOK_EVERY_MS = 250;
const VITALS_EVERY_MS = 5000;
const REPLAYS_AT_ONCE = 2;

/** The HTTP API over a deployer; it has no socket of its own. */
export function createApi(options: ApiOptions): Api {
  const { onUnexpected, signIns = null, publicUrl = null } = options;
  const live = openStreams(options);
  const parts = partsOf(options, live.vitals);
  const app = guarded(onUnexpected, publicUrl);
  const credentials = credentialsOf(parts, signIns, onUnexpected);
  addRoutes(app, { ...parts, publicUrl, credentials }, openApiDocument(ROUTES, options.version));
  addSignIn(app, { ...parts, signIns, publicUrl });
  addConsole(app, options.console ?? new Map());
  app.get("/v1/events", async (context) => {
    const caller = await authenticated(context, credentials);
    const signal = AbortSignal.any([context.req.raw.signal, live.ended]);
    return live.streams.stream(signal, await reader(credentials, caller));
  });
  return { fetch: app.fetch, streams: () => live.streams.open, end: live.end };
}

/** The streams of changes, and the vital signs that are read while one of them is open. */
function openStreams({ deployer: { database, parts }, limits, onUnexpected }: ApiOptions) {
  const { router, server } = parts;
  const vitals = new VitalsWatch({ database, router, server, now: () => Date.now() });
  const feed = new ChangeFeed(database, { vitalsOf: (name) => vitals.of(name), everyMs: LOOK_EVERY_MS });
  const streams = new EventStreams(feed, { ...USUAL_LIMITS, ...limits });
  const ending = new AbortController();
  const refreshing = setInterval(() => {
    if (streams.open > 0) vitals.refresh().catch(onUnexpected);
  }, VITALS_EVERY_MS).unref();
  const end = () => {
    clearInterval(refreshing);
    ending.abort();
    streams.end();
  };
  return { vitals, streams, ended: ending.signal, end };
}

function partsOf({ deployer, statusSource, examine }: ApiOptions, vitals: VitalsWatch): ApiParts {
  const { database, parts } = deployer;
  return {
    ...{ database, vulnerabilities: parts.vulnerabilities, teamMetrics: parts.teamMetrics ?? null },
    episodicMemory: parts.episodicMemory,
    listPackages: (bentoTag) => parts.packager.listPackages(bentoTag),
    proceduralMemory: parts.proceduralMemory,
    predictionLogs: parts.predictionLogs,
    serverUsage: parts.serverUsage,
    rowServers: parts.rowServers,
    replays: fewAtOnce(REPLAYS_AT_ONCE, tooManyReplays),
    statusSource,
    ingress: parts.ingress ?? null,
    engines: deployer.settings.engines,
    secrets: deployer.secrets,
    examine,
    notificationSender: parts.notificationSender,
    vitalsOf: (name) => vitals.of(name),
    refreshVitals: () => vitals.refresh(),
    actingAs: actingDeployers(deployer),
  };
}

const tooManyReplays = () =>
  new TooManyReplaysError(
    `${REPLAYS_AT_ONCE} replays are under way, and no more run at once: ask again in a minute.`,
  );

/** The checks of every request, before it is looked at. */
function guarded(onUnexpected: (error: unknown) => void, publicUrl: string | null): Hono {
  const app = new Hono();
  app.use(secureHeaders({ referrerPolicy: "no-referrer", xFrameOptions: "DENY" }));
  app.use(async (context, next) => {
    refuseForeignOrigin(context, publicUrl);
    await next();
  });
  app.onError((error) => {
    const response = problemResponse(error);
    if (response.status === 500) onUnexpected(error);
    return response;
  });
  app.notFound((context) => answerUnknown(app, context));
  return app;
}

function credentialsOf(
  { database, secrets }: ApiParts,
  signIns: SignIns | null,
  onUnasked: (error: unknown) => void,
): Credentials {
  return {
    database,
    checkSession: async (asking) => {
      if (signIns !== null) await checkSession({ database, secrets, onUnasked }, signIns, asking);
    },
  };
}

interface RouteParts extends ApiParts {
  publicUrl: string | null;
  credentials: Credentials;
}

function addRoutes(app: Hono, parts: RouteParts, document: object): void {
  const { database, credentials } = parts;
  app.get("/v1/openapi.json", (context) => context.json(document));
  app.get("/healthz", (context) => context.text("ok\n"));
  app.get("/v1/session", async (context) => {
    const { principal, grants } = await authenticated(context, credentials);
    return context.json(sessionSchema.parse({ principal, grants }));
  });
  app.post("/v1/session", async (context) => {
    const caller = await authenticated(context, credentials);
    keepToken(context, caller.token, parts.publicUrl ?? context.req.url);
    return context.json(sessionSchema.parse({ principal: caller.principal, grants: caller.grants }));
  });
  app.delete("/v1/session", async (context) => {
    await endSession(context, database);
    return context.body(null, 204);
  });
  for (const route of ROUTES) {
    const { definition } = route;
    const path = definition.path.replaceAll(/\{(\w+)\}/g, ":$1");
    app.on(definition.method.toUpperCase(), path, async (context) =>
      route.respond(parts, context, await authenticated(context, credentials)),
    );
  }
}
