import { SourceMap, type SourceMapPayload } from 'node:module';
import * as v from 'valibot';
import { Fault } from '../../proto/fault.ts';
import { decodeWith } from '../../proto/record.ts';

/** The source map of one build of a static program. */
export interface BuildMap {
  readonly buildId: string;
  readonly map: SourceMap;
}

/** A place in a stack trace: `<program>-<build id>.js:<line>:<column>`, both counted from 1. */
const PLACE = /[\w.-]+-([0-9a-f]{12})\.js:(\d+):(\d+)/g;

const payload = v.looseObject({
  version: v.literal(3),
  debugId: v.string(),
  sources: v.array(v.string()),
  names: v.array(v.string()),
  mappings: v.string(),
});

/** Throws `malformed` for what is no source map of a static program. */
export function parseSourceMap(text: string, source: string): BuildMap {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Fault('malformed', `${source} is no source map`, { cause });
  }
  const checked = decodeWith(payload, value, `${source}: source map of a static program`);
  return { buildId: checked.debugId, map: new SourceMap(checked as unknown as SourceMapPayload) };
}

/** The builds that a trace speaks of, each once. */
export function listBuildIds(trace: string): string[] {
  return [...new Set([...trace.matchAll(PLACE)].map(([, buildId = '']) => buildId))];
}

/** The trace with every place of these builds replaced by the one in the source; others stay. */
export function symbolicate(trace: string, maps: readonly BuildMap[]): string {
  return trace.replaceAll(PLACE, (place, buildId: string, line: string, column: string) => {
    const found = maps.find((one) => one.buildId === buildId)?.map.findEntry(Number(line) - 1, Number(column) - 1);
    if (found === undefined || !('originalSource' in found)) return place;
    const { originalSource, originalLine, originalColumn } = found;
    return `${originalSource.replace(/^(\.\.?\/)+/, '')}:${originalLine + 1}:${originalColumn + 1}`;
  });
}
