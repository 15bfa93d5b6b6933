/** What a placeholder says to whoever finds it in the volume's place. ASCII. */
const paragraph = (
  volumeId: string,
): string => `This is not your volume. Its data are on a disk that only a pod VM of berth can attach, and this pod runs
without one. Give the pod a runtimeClassName that berth serves, and start it again.
Nothing can be written here, so that nothing is written to the wrong place.
${volumeLine(volumeId)}

`;

/** By which a placeholder is known as that of a volume. */
const volumeLine = (volumeId: string): string => `Volume: ${volumeId}`;

/** Exactly so many bytes (ASCII), in which `head`, `less`, `cat` and `tail` all show what the file is there to say. */
export function placeholderText(volumeId: string, sizeBytes: number): string {
  const text = paragraph(volumeId);
  const times = Math.floor(sizeBytes / text.length);
  const restBytes = sizeBytes - times * text.length;
  const rest = restBytes === 0 ? '' : `${' '.repeat(restBytes - 1)}\n`;
  return rest + text.repeat(times);
}

export function isPlaceholderText(text: string, volumeId: string): boolean {
  return text.split('\n').includes(volumeLine(volumeId));
}
