const groups = {
  deployments: "/apis/apps/v1",
  services: "/api/v1",
  pods: "/api/v1",
  networkpolicies: "/apis/networking.k8s.io/v1",
  poddisruptionbudgets: "/apis/policy/v1",
  horizontalpodautoscalers: "/apis/autoscaling/v2",
} as const;

/** Where the API has the objects of this plural in a namespace. */
export function pathIn(namespace: string, plural: string): string {
  const group = Object.entries(groups).find(([name]) => name === plural)?.[1] ?? "/api/v1";
  return `${group}/namespaces/${namespace}/${plural}`;
}
