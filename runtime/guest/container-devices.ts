import * as v from 'valibot';
import { Fault } from '../../proto/fault.ts';

/** A disk of the guest as a device node of a container. */
export interface ContainerDevice {
  readonly path: string;
  readonly major: number;
  readonly minor: number;
  readonly readOnly: boolean;
}

/** The parts of config.json that devices are added to; everything else is passed on as it is. */
const specification = v.looseObject({
  linux: v.optional(
    v.looseObject({
      devices: v.optional(v.array(v.unknown())),
      resources: v.optional(v.looseObject({ devices: v.optional(v.array(v.unknown())) })),
    }),
  ),
});

const DENY_ALL = { allow: false, access: 'rwm' };

/**
 * config.json of the OCI runtime specification with block devices added (config-linux.md, Devices and Allowed Device
 * list): a node that root and its group can open, and the permission to. A list that was empty allowed everything; one
 * with these devices alone would too, in some readings, so it denies all others first.
 */
export function addDevices(spec: string, devices: readonly ContainerDevice[]): string {
  const parsed = v.safeParse(specification, parseJson(spec));
  if (!parsed.success)
    throw new Fault('malformed', "the container's specification is not one: linux.devices is no list");
  const { linux = {}, ...rest } = parsed.output;
  const allowed = linux.resources?.devices ?? [];
  const nodes = devices.map(({ path, major, minor }) => ({
    ...{ path, type: 'b', major, minor },
    ...{ fileMode: 0o660, uid: 0, gid: 0 },
  }));
  const permissions = devices.map(({ major, minor, readOnly }) => ({
    ...{ allow: true, type: 'b', major, minor },
    access: readOnly ? 'r' : 'rwm',
  }));
  const resources = {
    ...linux.resources,
    devices: [...(allowed.length === 0 ? [DENY_ALL] : allowed), ...permissions],
  };
  return JSON.stringify({ ...rest, linux: { ...linux, devices: [...(linux.devices ?? []), ...nodes], resources } });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Fault('malformed', "the container's specification is no JSON", { cause: error });
  }
}
