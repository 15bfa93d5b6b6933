import { Fault } from '../../proto/fault.ts';
import type { Extent } from '../pool/port.ts';
import { invalid } from '../validate.ts';
import type { MetadataResponse } from './messages.ts';

/** Ranges in a message that nobody limited, and at most: some 20 bytes each, of the 4 MiB that a client takes. */
const DEFAULT_RESULTS = 1000;
const MAX_RESULTS = 100_000;

export interface MetadataRange {
  readonly startingOffset: number;
  /** Ranges in each message. */
  readonly maxResults: number;
}

/** Of a request on a disk of `sizeBytes`. An offset outside of it is `out-of-range`, by CSI 1.12 also a negative one. */
export function parseRange(
  request: { readonly starting_offset: string; readonly max_results: number },
  sizeBytes: number,
): MetadataRange {
  const startingOffset = BigInt(request.starting_offset);
  if (startingOffset < 0n || startingOffset > BigInt(sizeBytes)) {
    const message = `starting_offset is ${startingOffset}, but the snapshot has ${sizeBytes} bytes`;
    throw new Fault('out-of-range', message, { fields: { field: 'starting_offset' } });
  }
  const maxResults = request.max_results;
  if (maxResults < 0) throw invalid('max_results', 'is negative');
  return {
    startingOffset: Number(startingOffset),
    maxResults: maxResults === 0 ? DEFAULT_RESULTS : Math.min(maxResults, MAX_RESULTS),
  };
}

/** The messages of a stream: at least one, so that the caller learns the capacity also where there is nothing. */
export function* metadataPages(
  extents: readonly Extent[],
  { startingOffset, maxResults }: MetadataRange,
  sizeBytes: number,
): Generator<MetadataResponse> {
  const ranges = extents
    .map(({ offset, length }) => ({
      from: Math.max(offset, startingOffset),
      to: Math.min(offset + length, sizeBytes),
    }))
    .filter(({ from, to }) => from < to);
  for (let first = 0; first === 0 || first < ranges.length; first += maxResults) {
    yield {
      block_metadata_type: 'VARIABLE_LENGTH',
      volume_capacity_bytes: String(sizeBytes),
      block_metadata: ranges
        .slice(first, first + maxResults)
        .map(({ from, to }) => ({ byte_offset: String(from), size_bytes: String(to - from) })),
    };
  }
}
