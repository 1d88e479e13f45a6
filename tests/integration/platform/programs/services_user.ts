import { startLocalServices } from "../../../../src/platform/services/local_services.ts";

/** Brings up Postgres and Redis under `HOME_DIRECTORY CACHE_DIRECTORY` and prints their addresses as JSON. */
const [homeDirectory = "", cacheDirectory = ""] = process.argv.slice(2);
const need = { postgres: true, redis: true, mlflow: false };
const { databaseUrl, redisUrl } = await startLocalServices({ homeDirectory, cacheDirectory, need });
process.stdout.write(JSON.stringify({ databaseUrl, redisUrl }));
