const CALLABLE = "an endpoint answers /predict, /invocations, /v2, /openapi.json and /healthz";
const TEXT_OF_ENVOY = "%LOCAL_REPLY_BODY%";

/** Answers of the router's own: codes as servers of models have them, MLflow's own where it has one. */
const BY_STATUS = [
  { status: 400, error_code: "BAD_REQUEST", message: TEXT_OF_ENVOY },
  { status: 401, error_code: "UNAUTHENTICATED", message: TEXT_OF_ENVOY },
  { status: 403, error_code: "PERMISSION_DENIED", message: TEXT_OF_ENVOY },
  { status: 404, error_code: "RESOURCE_DOES_NOT_EXIST", message: CALLABLE },
  { status: 408, error_code: "BODY_TOO_LATE", message: TEXT_OF_ENVOY },
  { status: 413, error_code: "BODY_TOO_LARGE", message: TEXT_OF_ENVOY },
  { status: 429, error_code: "REQUEST_LIMIT_EXCEEDED", message: TEXT_OF_ENVOY },
  { status: 503, error_code: "TEMPORARILY_UNAVAILABLE", message: TEXT_OF_ENVOY },
  { status: 504, error_code: "PREDICTION_TOO_LONG", message: TEXT_OF_ENVOY },
];

const content = (error_code: string, message: string) => ({
  json_format: { error_code, message, error: message },
});

/** Callers read one form of error, whoever answers: `{ error_code, message, error }`. */
export const ROUTER_ANSWERS = {
  body_format: content("INTERNAL_ERROR", TEXT_OF_ENVOY),
  mappers: BY_STATUS.map(({ status, error_code, message }) => ({
    filter: {
      status_code_filter: {
        comparison: { op: "EQ", value: { default_value: status, runtime_key: `router_answers.${status}` } },
      },
    },
    body_format_override: content(error_code, message),
  })),
};
