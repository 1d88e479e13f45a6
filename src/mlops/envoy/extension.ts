/** A message of one of Envoy's extensions, as its JSON has it. */
export const extension = (path: string, fields: object = {}) => ({
  "@type": `type.googleapis.com/envoy.extensions.${path}`,
  ...fields,
});
