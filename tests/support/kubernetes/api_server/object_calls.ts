import { z } from "zod";
import { kindOf, type ObjectStore, Refusal } from "./object_store.ts";
import { answered, json, type Outcome } from "./outcome.ts";

const deleteSchema = z.looseObject({
  preconditions: z.looseObject({ uid: z.string().optional() }).optional(),
});

export interface ObjectCall {
  method: string;
  plural: string;
  name: string | undefined;
  url: URL;
  body: unknown;
}

/** Carries out what a call asks of the objects. */
export function onObjects(objects: ObjectStore, call: ObjectCall, onPage: () => void): Outcome {
  const { method, plural, name, url, body } = call;
  if (name === undefined) {
    if (method === "POST") return answered(201, objects.create(plural, body));
    return pageOf(objects, plural, url.searchParams, onPage);
  }
  switch (method) {
    case "GET":
      return answered(200, objects.get(plural, name));
    case "PATCH":
      return answered(200, objects.patch(plural, name, body));
    case "PUT":
      return answered(200, objects.update(plural, name, body));
    case "DELETE": {
      const uid = deleteSchema.safeParse(body).data?.preconditions?.uid;
      return answered(200, objects.remove(plural, name, uid));
    }
    default:
      return new Refusal(405, "MethodNotAllowed", `${method} is not supported`);
  }
}

/** A token is forgotten with the next write, which a real server does some minutes later. */
function pageOf(objects: ObjectStore, plural: string, asked: URLSearchParams, onPage: () => void): Outcome {
  const { resourceVersion } = objects;
  const [version, from = "0"] = (asked.get("continue") ?? `${resourceVersion}/0`).split("/");
  if (version !== resourceVersion) {
    return new Refusal(410, "Expired", "The provided continue parameter is too old");
  }
  const all = objects.list(plural, asked.get("labelSelector") ?? "");
  const end = Number(from) + Number(asked.get("limit") ?? all.length);
  const items = all.slice(Number(from), end);
  const rest = end < all.length ? { continue: `${resourceVersion}/${end}` } : {};
  const { kind, apiVersion } = kindOf(plural);
  onPage();
  return json(200, { kind: `${kind}List`, apiVersion, metadata: { resourceVersion, ...rest }, items });
}
