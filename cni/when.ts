import * as v from 'valibot';
import { type Capabilities, POD_ANNOTATIONS } from './capabilities.ts';
import { checkKeys, type JsonObject, keyFault } from './config-keys.ts';

/**
 * Which pods of a network are virtual machines': those that bear an annotation, whatever its value unless one is given.
 */
export interface When {
  readonly annotation: string;
  readonly value?: string | undefined;
}

const whenKeys = v.object({
  when: v.optional(v.strictObject({ annotation: v.pipe(v.string(), v.minLength(1)), value: v.optional(v.string()) })),
});

/** Undefined: every pod. Throws `invalid`. */
export const parseWhen = (json: JsonObject): When | undefined => checkKeys(whenKeys, json).when;

/** Throws `invalid` where the runtime hands on no annotations: guessing leaves a VM without network or breaks a pod. */
export function isChosen(when: When | undefined, { annotations }: Pick<Capabilities, 'annotations'>): boolean {
  if (when === undefined) return true;
  if (annotations === undefined) {
    const capability = `"capabilities": {"${POD_ANNOTATIONS}": true}`;
    throw keyFault(
      `when asks for annotations, but runtimeConfig has no "${POD_ANNOTATIONS}": add ${capability} to berth's entry; ` +
        'where the container engine hands no annotations on, take a cni_conf_dir of its own for VMs in place of when',
      'when',
    );
  }
  if (!Object.hasOwn(annotations, when.annotation)) return false;
  return when.value === undefined || annotations[when.annotation] === when.value;
}
