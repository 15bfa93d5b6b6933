import * as v from 'valibot';
import { decodeWith } from '../../proto/record.ts';

/**
 * The parts of the OCI runtime specification's config.json (1.2) that the planner reads or rewrites. Everything else is
 * passed on to the guest's crun as it came.
 */
const mount = v.looseObject({
  destination: v.string(),
  type: v.optional(v.string()),
  source: v.optional(v.string()),
  options: v.optional(v.array(v.string())),
});
export type OciMount = v.InferOutput<typeof mount>;

const namespace = v.looseObject({ type: v.string(), path: v.optional(v.string()) });

/** Of the guest's numbers once it is there: the host's numbers mean other devices in the guest. */
const device = v.looseObject({
  path: v.string(),
  type: v.optional(v.string()),
  major: v.optional(v.number()),
  minor: v.optional(v.number()),
});
export type OciDevice = v.InferOutput<typeof device>;
const deviceRule = v.looseObject({
  allow: v.boolean(),
  type: v.optional(v.string()),
  major: v.optional(v.number()),
  minor: v.optional(v.number()),
  access: v.optional(v.string()),
});

const schema = v.looseObject({
  ociVersion: v.string(),
  process: v.looseObject({
    args: v.pipe(v.array(v.string()), v.minLength(1, 'names no program')),
    terminal: v.optional(v.boolean()),
  }),
  root: v.looseObject({ path: v.pipe(v.string(), v.minLength(1)), readonly: v.optional(v.boolean()) }),
  hostname: v.optional(v.string()),
  mounts: v.optional(v.array(mount)),
  hooks: v.optional(v.record(v.string(), v.array(v.unknown()))),
  annotations: v.optional(v.record(v.string(), v.string())),
  linux: v.optional(
    v.looseObject({
      namespaces: v.optional(v.array(namespace)),
      cgroupsPath: v.optional(v.string()),
      devices: v.optional(v.array(device)),
      resources: v.optional(v.looseObject({ devices: v.optional(v.array(deviceRule)) })),
    }),
  ),
});
export type OciSpec = v.InferOutput<typeof schema>;

/** `value` is parsed JSON. Throws `malformed` naming the offending key. */
export const parseOciSpec = (value: unknown, source: string): OciSpec => decodeWith(schema, value, source);
