const PARAGRAPH = `This is not your volume. Its data are on a disk that only a pod VM of berth can attach, and this pod runs
without one. Give the pod a runtimeClassName that berth serves, and start it again.
Nothing can be written here, so that nothing is written to the wrong place.

`;

/** Exactly so many bytes (ASCII), in which `head`, `less`, `cat` and `tail` all show what the file is there to say. */
export function placeholderText(sizeBytes: number): string {
  const times = Math.floor(sizeBytes / PARAGRAPH.length);
  const restBytes = sizeBytes - times * PARAGRAPH.length;
  const rest = restBytes === 0 ? '' : `${' '.repeat(restBytes - 1)}\n`;
  return rest + PARAGRAPH.repeat(times);
}
