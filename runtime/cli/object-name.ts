const LABEL = '[a-z0-9](?:[-a-z0-9]*[a-z0-9])?';
const SUBDOMAIN = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`);

/** Whether Kubernetes takes it for the name of an object: a DNS subdomain of RFC 1123. */
export const isObjectName = (name: string): boolean => name.length <= 253 && SUBDOMAIN.test(name);
