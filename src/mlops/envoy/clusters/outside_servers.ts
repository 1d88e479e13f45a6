/** How servers that are reached over TLS are recognised, and what they are told. */
export interface OutsideServers {
  /** File with the certificates of the authorities that are trusted. */
  authorities: string;
  /** Sent to them as a bearer token, instead of what callers send; null where they ask for none. */
  token: string | null;
}

export const standardOutside: OutsideServers = {
  authorities: "/etc/ssl/certs/ca-certificates.crt",
  token: null,
};

/** The certificate has to be for the name, and be signed by an authority that is trusted. */
export function overTls(host: string, { authorities }: OutsideServers): Record<string, unknown> {
  const validation_context = {
    trusted_ca: { filename: authorities },
    match_typed_subject_alt_names: [{ san_type: "DNS", matcher: { exact: host } }, wildcardOf(host)],
  };
  return {
    type: "STRICT_DNS",
    dns_lookup_family: "V4_PREFERRED",
    transport_socket: {
      name: "envoy.transport_sockets.tls",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        sni: host,
        common_tls_context: { validation_context },
      },
    },
  };
}

/** Of the host's domain, as in `*.example.org` for `model.example.org`. */
const wildcardOf = (host: string) => ({
  san_type: "DNS",
  matcher: { exact: `*${host.slice(host.indexOf("."))}` },
});

/** On the way to the server, so that copies for a shadow have it too and callers never see it. */
export function authorized(token: string): object[] {
  const header = { key: "authorization", value: `Bearer ${token}` };
  const request_mutations = [{ append: { header, append_action: "OVERWRITE_IF_EXISTS_OR_ADD" } }];
  const extension = "type.googleapis.com/envoy.extensions.filters.http";
  return [
    {
      name: "envoy.filters.http.header_mutation",
      typed_config: {
        "@type": `${extension}.header_mutation.v3.HeaderMutation`,
        mutations: { request_mutations },
      },
    },
    {
      name: "envoy.filters.http.upstream_codec",
      typed_config: { "@type": `${extension}.upstream_codec.v3.UpstreamCodec` },
    },
  ];
}
