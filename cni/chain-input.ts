import * as v from 'valibot';
import { checkKeys, isNothing, type JsonObject, keyFault } from './config-keys.ts';
import { SUPPORTED_VERSIONS } from './version.ts';

// Null is what Go writes for what is not there.
const text = v.nullish(v.string());
const texts = v.nullish(v.array(v.string()));

const dns = v.looseObject({ nameservers: texts, domain: text, search: texts, options: texts });
export type CniDns = v.InferOutput<typeof dns>;

/** What is read of a result, in all versions from 0.3.0 to 1.1.0; all else passes through untouched. */
const cniResult = v.looseObject({
  cniVersion: v.optional(v.picklist(SUPPORTED_VERSIONS)),
  interfaces: v.nullish(v.array(v.looseObject({ name: v.string(), sandbox: text, socketPath: text, pciID: text })), []),
  ips: v.nullish(v.array(v.looseObject({ address: v.string(), interface: v.nullish(v.number()) }))),
  dns: v.nullish(dns),
});
export type CniResult = v.InferOutput<typeof cniResult>;

/** What the plugins before have left. */
const chainKeys = v.object({ prevResult: cniResult, dns: v.nullish(dns) });

/** What the plugins before this one in the chain have left. */
export interface ChainInput {
  readonly prevResult: CniResult;
  readonly dns: CniDns | undefined;
}

/** The runtime's name servers, `asked`, go before all others. Throws `invalid` if there is no result. */
export function parseChainInput(json: JsonObject, asked?: CniDns): ChainInput {
  if (isNothing(json['prevResult'])) {
    throw keyFault(
      'prevResult is missing: berth must be chained after the plugin that makes the interface',
      'prevResult',
    );
  }
  // To a schema of objects, a list is one.
  if (Array.isArray(json['prevResult'])) throw keyFault('prevResult: must be an object', 'prevResult');
  const { prevResult, dns } = checkKeys(chainKeys, json);
  const reported = prevResult.dns?.nameservers?.length ? prevResult.dns : (dns ?? prevResult.dns);
  return { prevResult, dns: asked ?? reported ?? undefined };
}
