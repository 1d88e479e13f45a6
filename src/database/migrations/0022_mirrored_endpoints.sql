-- Evidence is collected from these alone, page by page.
create index ml_endpoints_mirrored on ml_endpoints (endpoint_name) where mirror_deployment_id is not null;
